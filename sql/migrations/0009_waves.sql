-- Where the waves of a beat lie: the intervals of every beat, the boundaries of the chosen ones, medians by recording.

ALTER TABLE ecg.beat
    ADD COLUMN pr_ms real CONSTRAINT beat_pr_ms_check CHECK (pr_ms > 0 AND pr_ms < 'infinity'),
    ADD COLUMN qrs_duration_ms real CONSTRAINT beat_qrs_duration_ms_check CHECK (qrs_duration_ms > 0 AND qrs_duration_ms < 'infinity'),
    ADD COLUMN qt_ms real CONSTRAINT beat_qt_ms_check CHECK (qt_ms > 0 AND qt_ms < 'infinity');
COMMENT ON COLUMN ecg.beat.pr_ms IS 'PR interval, from the onset of P to the onset of QRS, milliseconds; NULL where there is no P wave or it is unknown.';
COMMENT ON COLUMN ecg.beat.qrs_duration_ms IS 'From onset to end of QRS, milliseconds; NULL where unknown.';
COMMENT ON COLUMN ecg.beat.qt_ms IS 'QT interval, from the onset of QRS to the end of T, milliseconds; NULL where unknown.';

ALTER TABLE ecg.chosen_beat
    ADD COLUMN waves_ms real[] CONSTRAINT chosen_beat_waves_check CHECK (cardinality(waves_ms) = 8);
COMMENT ON COLUMN ecg.chosen_beat.waves_ms IS 'P onset, peak and end, QRS onset and end, T onset, peak and end: milliseconds from the R peak, negative before it; an element is NULL where the wave is absent or unknown, all of it for scores from before waves were looked for.';

ALTER TABLE ecg.scoring_run
    ADD COLUMN median_pr_ms real CHECK (median_pr_ms > 0),
    ADD COLUMN median_qrs_duration_ms real CHECK (median_qrs_duration_ms > 0),
    ADD COLUMN median_qt_ms real CHECK (median_qt_ms > 0),
    ADD COLUMN median_qtc_bazett_ms real CHECK (median_qtc_bazett_ms > 0),
    ADD COLUMN median_qtc_fridericia_ms real CHECK (median_qtc_fridericia_ms > 0),
    ADD COLUMN n_beats_with_qt integer NOT NULL DEFAULT 0 CHECK (n_beats_with_qt BETWEEN 0 AND n_beats);
COMMENT ON COLUMN ecg.scoring_run.median_pr_ms IS 'Median PR interval, milliseconds, of analysable normal beats that follow an analysable normal beat; NULL where none was measured.';
COMMENT ON COLUMN ecg.scoring_run.median_qrs_duration_ms IS 'Median duration of QRS, milliseconds, of the same beats; NULL where none was measured.';
COMMENT ON COLUMN ecg.scoring_run.median_qt_ms IS 'Median QT interval, milliseconds, of the same beats; NULL where none was measured.';
COMMENT ON COLUMN ecg.scoring_run.median_qtc_bazett_ms IS 'Median QT interval corrected by Bazett (over the square root of the RR interval before, in seconds), milliseconds, of the same beats.';
COMMENT ON COLUMN ecg.scoring_run.median_qtc_fridericia_ms IS 'Median QT interval corrected by Fridericia (over the cube root of the RR interval before, in seconds), milliseconds, of the same beats.';
COMMENT ON COLUMN ecg.scoring_run.n_beats_with_qt IS 'Beats that the median QT interval is of.';

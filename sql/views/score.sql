-- score
-- Grain: one recording scored by one model version of the task beats: its summary.
-- Sources: ecg.scoring_run, ecg.recording.
-- Caveats: Counts are of analysable beats; of the others nothing is claimed. A recording has several rows where several versions scored it: is_newest picks one.
CREATE OR REPLACE VIEW ecg_mart.score AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    recording.arrived_at,
    run.scored_at,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = 'beats') AS is_newest,
    recording.duration_s,
    run.n_beats,
    run.n_beats_analysable,
    run.n_class_n,
    run.n_class_s,
    run.n_class_v,
    run.n_class_f,
    run.n_class_q,
    (run.n_class_s + run.n_class_v + run.n_class_f)::double precision / nullif(run.n_beats_analysable, 0) AS ectopic_share,
    CASE
        WHEN run.n_beats_analysable = 0 THEN NULL
        WHEN run.n_beats_analysable - run.n_class_n < 0.01 * run.n_beats_analysable OR run.n_beats_analysable = run.n_class_n THEN 'N'
        ELSE (
            SELECT called.class
            FROM (VALUES ('V', run.n_class_v, 1), ('S', run.n_class_s, 2), ('F', run.n_class_f, 3), ('Q', run.n_class_q, 4)) AS called (class, n, place)
            ORDER BY called.n DESC, called.place
            LIMIT 1
        )
    END AS leading_class,
    run.mean_heart_rate_bpm,
    run.min_heart_rate_bpm,
    run.min_heart_rate_at_s,
    run.max_heart_rate_bpm,
    run.max_heart_rate_at_s,
    run.analysable_share,
    run.primary_lead,
    run.median_pr_ms,
    run.median_qrs_duration_ms,
    run.median_qt_ms,
    run.median_qtc_bazett_ms,
    run.median_qtc_fridericia_ms,
    run.n_beats_with_qt
FROM ecg.scoring_run AS run
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id
WHERE run.task = 'beats';

COMMENT ON VIEW ecg_mart.score IS 'Grain: one recording scored by one model version of the task beats: its summary. Counts are of analysable beats; of the others nothing is claimed. A recording has several rows where several versions scored it: is_newest picks one.';
COMMENT ON COLUMN ecg_mart.score.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.score.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.score.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.score.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.score.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.score.arrived_at IS 'When the recording''s content first arrived.';
COMMENT ON COLUMN ecg_mart.score.scored_at IS 'When the rows were written.';
COMMENT ON COLUMN ecg_mart.score.is_newest IS 'True for the recording''s newest scoring run.';
COMMENT ON COLUMN ecg_mart.score.duration_s IS 'Length of the recording in seconds.';
COMMENT ON COLUMN ecg_mart.score.n_beats IS 'Beats detected.';
COMMENT ON COLUMN ecg_mart.score.n_beats_analysable IS 'Beats in signal good enough to say something of them.';
COMMENT ON COLUMN ecg_mart.score.n_class_n IS 'Analysable beats of class N, normal or bundle branch block.';
COMMENT ON COLUMN ecg_mart.score.n_class_s IS 'Analysable beats of class S, supraventricular ectopic.';
COMMENT ON COLUMN ecg_mart.score.n_class_v IS 'Analysable beats of class V, ventricular ectopic.';
COMMENT ON COLUMN ecg_mart.score.n_class_f IS 'Analysable beats of class F, fusion of ventricular and normal.';
COMMENT ON COLUMN ecg_mart.score.n_class_q IS 'Analysable beats of class Q: paced, unclassifiable or, most often, noise taken for a beat.';
COMMENT ON COLUMN ecg_mart.score.ectopic_share IS 'Share of S, V and F among the analysable beats, 0 to 1; NULL where none is analysable.';
COMMENT ON COLUMN ecg_mart.score.leading_class IS 'The most frequent class other than N where such beats make at least 1 % of the analysable ones, else N; NULL where none is analysable.';
COMMENT ON COLUMN ecg_mart.score.mean_heart_rate_bpm IS 'Mean heart rate, beats per minute; NULL where too few beats are analysable.';
COMMENT ON COLUMN ecg_mart.score.min_heart_rate_bpm IS 'Lowest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg_mart.score.min_heart_rate_at_s IS 'When it was lowest, seconds from the start.';
COMMENT ON COLUMN ecg_mart.score.max_heart_rate_bpm IS 'Highest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg_mart.score.max_heart_rate_at_s IS 'When it was highest, seconds from the start.';
COMMENT ON COLUMN ecg_mart.score.analysable_share IS 'Share of the epochs of 10 s in which some lead is analysable, 0 to 1.';
COMMENT ON COLUMN ecg_mart.score.primary_lead IS 'Name of the lead that beats were classified on where it can be read.';
COMMENT ON COLUMN ecg_mart.score.median_pr_ms IS 'Median PR interval, milliseconds, of analysable normal beats that follow an analysable normal beat; NULL where none was measured.';
COMMENT ON COLUMN ecg_mart.score.median_qrs_duration_ms IS 'Median duration of QRS, milliseconds, of the same beats.';
COMMENT ON COLUMN ecg_mart.score.median_qt_ms IS 'Median QT interval, milliseconds, of the same beats.';
COMMENT ON COLUMN ecg_mart.score.median_qtc_bazett_ms IS 'Median QT interval corrected by Bazett, milliseconds, of the same beats. Too long at high heart rates.';
COMMENT ON COLUMN ecg_mart.score.median_qtc_fridericia_ms IS 'Median QT interval corrected by Fridericia, milliseconds, of the same beats.';
COMMENT ON COLUMN ecg_mart.score.n_beats_with_qt IS 'Beats that the median QT interval is of.';

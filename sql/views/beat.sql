-- beat
-- Grain: one detected beat as one model version scored it.
-- Sources: ecg.beat, ecg.scoring_run, ecg.recording.
-- Caveats: Tens of millions of rows: name a recording, a scoring run or an arrived_month, or ask ecg_mart.hourly instead. Claims nothing of a beat where analysable is false. Months that retention dropped are gone.
CREATE OR REPLACE VIEW ecg_mart.beat AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    beat.arrived_month,
    beat.beat_index,
    floor(beat.r_time_s / 3600)::integer AS hour_index,
    beat.r_sample,
    beat.r_time_s,
    beat.rr_prev_ms,
    beat.rr_next_ms,
    60000 / beat.rr_prev_ms AS heart_rate_bpm,
    beat.class,
    CASE beat.class
        WHEN 'N' THEN beat.probability_n
        WHEN 'S' THEN beat.probability_s
        WHEN 'V' THEN beat.probability_v
        WHEN 'F' THEN beat.probability_f
        ELSE beat.probability_q
    END AS class_probability,
    beat.probability_n,
    beat.probability_s,
    beat.probability_v,
    beat.probability_f,
    beat.probability_q,
    beat.deviation_z,
    beat.analysable,
    beat.pr_ms,
    beat.qrs_duration_ms,
    beat.qt_ms,
    (beat.qt_ms / sqrt(beat.rr_prev_ms / 1000))::real AS qtc_bazett_ms,
    (beat.qt_ms / cbrt(beat.rr_prev_ms / 1000))::real AS qtc_fridericia_ms,
    CASE WHEN beat.prediction_set IS NOT NULL THEN concat(
        CASE WHEN beat.prediction_set & 1 > 0 THEN 'N' END,
        CASE WHEN beat.prediction_set & 2 > 0 THEN 'S' END,
        CASE WHEN beat.prediction_set & 4 > 0 THEN 'V' END,
        CASE WHEN beat.prediction_set & 8 > 0 THEN 'F' END,
        CASE WHEN beat.prediction_set & 16 > 0 THEN 'Q' END
    ) END AS prediction_set,
    NOT beat.analysable OR beat.prediction_set NOT IN (1, 2, 4, 8, 16) AS inconclusive,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = 'beats') AS is_newest,
    recording.start_time + make_interval(secs => beat.r_time_s) AS r_at
FROM ecg.beat AS beat
JOIN ecg.scoring_run AS run ON run.scoring_run_id = beat.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.beat IS 'Grain: one detected beat as one model version scored it. Tens of millions of rows: name a recording, a scoring run or an arrived_month, or ask ecg_mart.hourly instead. Claims nothing of a beat where analysable is false. Months that retention dropped are gone.';
COMMENT ON COLUMN ecg_mart.beat.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.beat.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.beat.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.beat.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.beat.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.beat.beat_index IS 'Number of the beat in its recording, from 0, in time order.';
COMMENT ON COLUMN ecg_mart.beat.hour_index IS 'Hours from the start of the recording, from 0, as in ecg_mart.hourly.';
COMMENT ON COLUMN ecg_mart.beat.r_sample IS 'R peak: sample number from 0, at the recording''s own rate.';
COMMENT ON COLUMN ecg_mart.beat.r_time_s IS 'R peak: seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.beat.rr_prev_ms IS 'Interval from the beat before, milliseconds; NULL at the edges and across stretches that are not analysable.';
COMMENT ON COLUMN ecg_mart.beat.rr_next_ms IS 'Interval to the beat after, milliseconds; NULL as rr_prev_ms.';
COMMENT ON COLUMN ecg_mart.beat.heart_rate_bpm IS 'Heart rate of the interval before, beats per minute; NULL as rr_prev_ms.';
COMMENT ON COLUMN ecg_mart.beat.class IS 'Most probable class of ANSI/AAMI EC57: N, S, V, F or Q.';
COMMENT ON COLUMN ecg_mart.beat.class_probability IS 'Calibrated probability of that class, 0 to 1.';
COMMENT ON COLUMN ecg_mart.beat.probability_n IS 'Calibrated probability of class N, 0 to 1.';
COMMENT ON COLUMN ecg_mart.beat.probability_s IS 'Calibrated probability of class S, 0 to 1.';
COMMENT ON COLUMN ecg_mart.beat.probability_v IS 'Calibrated probability of class V, 0 to 1.';
COMMENT ON COLUMN ecg_mart.beat.probability_f IS 'Calibrated probability of class F, 0 to 1.';
COMMENT ON COLUMN ecg_mart.beat.probability_q IS 'Calibrated probability of class Q, 0 to 1.';
COMMENT ON COLUMN ecg_mart.beat.deviation_z IS 'How far shape and timing are from what the autoencoder would have drawn: z-score against the training patients'' normal beats; NULL where unknown.';
COMMENT ON COLUMN ecg_mart.beat.analysable IS 'False where the signal is too poor to say anything of this beat.';
COMMENT ON COLUMN ecg_mart.beat.pr_ms IS 'PR interval, from the onset of P to the onset of QRS, milliseconds; NULL where there is no P wave or it is unknown.';
COMMENT ON COLUMN ecg_mart.beat.qrs_duration_ms IS 'From onset to end of QRS, milliseconds; NULL where unknown.';
COMMENT ON COLUMN ecg_mart.beat.qt_ms IS 'QT interval, from the onset of QRS to the end of T, milliseconds; NULL where unknown.';
COMMENT ON COLUMN ecg_mart.beat.qtc_bazett_ms IS 'QT interval over the square root of the RR interval before in seconds (Bazett), milliseconds; NULL where either is unknown. Too long at high heart rates.';
COMMENT ON COLUMN ecg_mart.beat.qtc_fridericia_ms IS 'QT interval over the cube root of the RR interval before in seconds (Fridericia), milliseconds; NULL where either is unknown.';
COMMENT ON COLUMN ecg_mart.beat.prediction_set IS 'The classes that remain possible at the coverage that the model version states, for instance N or NS; empty where none is likely enough; NULL where it was scored before there were such sets.';
COMMENT ON COLUMN ecg_mart.beat.inconclusive IS 'True where nothing definite is said: not analysable, or the prediction set is not exactly one class; NULL where analysable and without a set.';
COMMENT ON COLUMN ecg_mart.beat.is_newest IS 'True for the recording''s newest scoring run of the beats: without it a recording that was scored twice counts twice.';
COMMENT ON COLUMN ecg_mart.beat.r_at IS 'When, by the recording''s own clock, without time zone; NULL where the file gives no time.';

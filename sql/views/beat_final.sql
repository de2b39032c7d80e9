-- beat_final
-- Grain: one beat that stands, of one scoring run: the model's, as readers corrected them, and those they added.
-- Sources: ecg.beat, ecg.scoring_run, ecg.final_reading, ecg.final_beat, ecg.recording.
-- Caveats: As ecg_mart.beat: name a recording, a scoring run or an arrived_month. Only what was signed counts. Beats that readers say are none have no row.
CREATE OR REPLACE VIEW ecg_mart.beat_final AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    beat.beat_index,
    floor(beat.r_time_s / 3600)::integer AS hour_index,
    beat.r_sample,
    beat.r_time_s,
    CASE WHEN changed.final_id IS NULL THEN beat.rr_prev_ms ELSE changed.rr_prev_ms END AS rr_prev_ms,
    CASE WHEN changed.final_id IS NULL THEN beat.rr_next_ms ELSE changed.rr_next_ms END AS rr_next_ms,
    coalesce(changed.class, beat.class) AS class,
    beat.class AS model_class,
    coalesce(changed.analysable, beat.analysable) AS analysable,
    changed.reviewer_id,
    coalesce(newest.holds_since, run.scored_at) AS holds_since,
    coalesce(newest.signature_holds, false) AS signature_holds
FROM ecg.beat AS beat
JOIN ecg.scoring_run AS run ON run.scoring_run_id = beat.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id
LEFT JOIN (
    SELECT DISTINCT ON (newest_part.scoring_run_id)
        newest_part.scoring_run_id, newest.final_id, newest.holds_since, newest.signature_holds
    FROM ecg.final_reading AS newest
    JOIN ecg.reading_run AS newest_part ON newest_part.reading_id = newest.reading_id AND newest_part.task = 'beats'
    ORDER BY newest_part.scoring_run_id, newest.final_id DESC
) AS newest ON newest.scoring_run_id = beat.scoring_run_id
LEFT JOIN ecg.final_beat AS changed ON changed.final_id = newest.final_id AND changed.beat_index = beat.beat_index
WHERE changed.final_id IS NULL OR changed.class IS NOT NULL
UNION ALL
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    NULL,
    floor(added.r_time_s / 3600)::integer,
    added.r_sample,
    added.r_time_s,
    added.rr_prev_ms,
    added.rr_next_ms,
    added.class,
    NULL,
    added.analysable,
    added.reviewer_id,
    newest.holds_since,
    newest.signature_holds
FROM (
    SELECT DISTINCT ON (newest_part.scoring_run_id)
        newest_part.scoring_run_id, newest.final_id, newest.holds_since, newest.signature_holds
    FROM ecg.final_reading AS newest
    JOIN ecg.reading_run AS newest_part ON newest_part.reading_id = newest.reading_id AND newest_part.task = 'beats'
    ORDER BY newest_part.scoring_run_id, newest.final_id DESC
) AS newest
JOIN ecg.final_beat AS added ON added.final_id = newest.final_id AND added.beat_index IS NULL
JOIN ecg.scoring_run AS run ON run.scoring_run_id = newest.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.beat_final IS 'Grain: one beat that stands, of one scoring run: the model''s, as readers corrected them, and those they added. As ecg_mart.beat: name a recording, a scoring run or an arrived_month. Only what was signed counts. Beats that readers say are none have no row.';
COMMENT ON COLUMN ecg_mart.beat_final.scoring_run_id IS 'Number of the scoring run of the beats.';
COMMENT ON COLUMN ecg_mart.beat_final.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.beat_final.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.beat_final.model_version IS 'The model version that scored the beats.';
COMMENT ON COLUMN ecg_mart.beat_final.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.beat_final.beat_index IS 'The model''s beat, as in ecg_mart.beat; NULL for one that a reader added.';
COMMENT ON COLUMN ecg_mart.beat_final.hour_index IS 'Hour from the start of the recording, from 0.';
COMMENT ON COLUMN ecg_mart.beat_final.r_sample IS 'R peak, sample number at the recording''s own rate.';
COMMENT ON COLUMN ecg_mart.beat_final.r_time_s IS 'R peak, seconds from the start.';
COMMENT ON COLUMN ecg_mart.beat_final.rr_prev_ms IS 'RR interval before it among the beats that stand, milliseconds; NULL where unknown.';
COMMENT ON COLUMN ecg_mart.beat_final.rr_next_ms IS 'RR interval after it among the beats that stand, milliseconds; NULL where unknown.';
COMMENT ON COLUMN ecg_mart.beat_final.class IS 'Class that stands: N, S, V, F or Q.';
COMMENT ON COLUMN ecg_mart.beat_final.model_class IS 'Class that the model gave; NULL for a beat that a reader added.';
COMMENT ON COLUMN ecg_mart.beat_final.analysable IS 'Something is said of it.';
COMMENT ON COLUMN ecg_mart.beat_final.reviewer_id IS 'Number that stands for who said so of this beat; NULL where nobody did.';
COMMENT ON COLUMN ecg_mart.beat_final.holds_since IS 'From when on it stands so.';
COMMENT ON COLUMN ecg_mart.beat_final.signature_holds IS 'True where it is signed, and nothing was answered since.';

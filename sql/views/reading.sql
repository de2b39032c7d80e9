-- reading
-- Grain: one scoring run of one reading: what one recording's reading takes of one task.
-- Sources: ecg.reading, ecg.reading_run, ecg.scoring_run.
-- Caveats: Findings, reports and reviews belong to a reading; beats, labels and stretches to its scoring runs. A scoring run is in several readings where another task has a newer version since: is_newest picks one a recording.
CREATE OR REPLACE VIEW ecg_mart.reading AS
SELECT
    reading.reading_id,
    reading.recording_id,
    part.task,
    part.scoring_run_id,
    run.model_version,
    run.arrived_month,
    reading.first_made_at,
    reading.reading_id = (SELECT max(newer.reading_id) FROM ecg.reading AS newer WHERE newer.recording_id = reading.recording_id) AS is_newest
FROM ecg.reading AS reading
JOIN ecg.reading_run AS part ON part.reading_id = reading.reading_id
JOIN ecg.scoring_run AS run ON run.scoring_run_id = part.scoring_run_id;

COMMENT ON VIEW ecg_mart.reading IS 'Grain: one scoring run of one reading: what one recording''s reading takes of one task. Findings, reports and reviews belong to a reading; beats, labels and stretches to its scoring runs. A scoring run is in several readings where another task has a newer version since: is_newest picks one a recording.';
COMMENT ON COLUMN ecg_mart.reading.reading_id IS 'Number of the reading: short for recording and model versions, one a task.';
COMMENT ON COLUMN ecg_mart.reading.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.reading.task IS 'What the model was asked: beats, rhythm or another.';
COMMENT ON COLUMN ecg_mart.reading.scoring_run_id IS 'Number of the scoring run, as in ecg_mart.score, recording_label and recording_stretch.';
COMMENT ON COLUMN ecg_mart.reading.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.reading.arrived_month IS 'First day of the month (UTC) in which the recording arrived.';
COMMENT ON COLUMN ecg_mart.reading.first_made_at IS 'When the reading was written.';
COMMENT ON COLUMN ecg_mart.reading.is_newest IS 'True for the recording''s newest reading.';

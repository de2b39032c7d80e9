-- recording_stretch
-- Grain: one stretch of one recording that a model version gave a label.
-- Sources: ecg.recording_stretch, ecg.scoring_run, ecg.recording.
-- Caveats: A recording has several rows for a label where several versions of a task scored it. Of the task beats there are none.
CREATE OR REPLACE VIEW ecg_mart.recording_stretch AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    said.task,
    said.from_s,
    said.to_s,
    said.label,
    said.probability,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = run.task) AS is_newest
FROM ecg.recording_stretch AS said
JOIN ecg.scoring_run AS run ON run.scoring_run_id = said.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.recording_stretch IS 'Grain: one stretch of one recording that a model version gave a label. A recording has several rows for a label where several versions of a task scored it. Of the task beats there are none.';
COMMENT ON COLUMN ecg_mart.recording_stretch.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.recording_stretch.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.recording_stretch.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.recording_stretch.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.recording_stretch.task IS 'What that version is asked, for instance rhythm.';
COMMENT ON COLUMN ecg_mart.recording_stretch.from_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.recording_stretch.to_s IS 'End, seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.recording_stretch.label IS 'The label, in the task''s own words, for instance atrial_fibrillation.';
COMMENT ON COLUMN ecg_mart.recording_stretch.probability IS 'Mean probability of the label over the stretch, 0 to 1.';
COMMENT ON COLUMN ecg_mart.recording_stretch.is_newest IS 'True for the newest scoring run of the recording by its task: without it a recording that was scored again counts twice.';

-- recording_label
-- Grain: one label that a model version weighed for one recording.
-- Sources: ecg.recording_label, ecg.scoring_run, ecg.recording.
-- Caveats: A recording has several rows for a label where several versions of a task scored it. Of the task beats there are none.
CREATE OR REPLACE VIEW ecg_mart.recording_label AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    said.task,
    said.label,
    said.probability,
    said.in_set,
    said.may_be_absent,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = run.task) AS is_newest
FROM ecg.recording_label AS said
JOIN ecg.scoring_run AS run ON run.scoring_run_id = said.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.recording_label IS 'Grain: one label that a model version weighed for one recording. A recording has several rows for a label where several versions of a task scored it. Of the task beats there are none.';
COMMENT ON COLUMN ecg_mart.recording_label.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.recording_label.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.recording_label.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.recording_label.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.recording_label.task IS 'What that version is asked, for instance rhythm.';
COMMENT ON COLUMN ecg_mart.recording_label.label IS 'The label, in the task''s own words.';
COMMENT ON COLUMN ecg_mart.recording_label.probability IS 'Calibrated probability of the label, 0 to 1.';
COMMENT ON COLUMN ecg_mart.recording_label.in_set IS 'Whether the label remains possible at the coverage that the model version states.';
COMMENT ON COLUMN ecg_mart.recording_label.may_be_absent IS 'Whether the answer no remains possible, too; NULL where labels exclude each other. In the set and not absent: the label is called; both: inconclusive.';
COMMENT ON COLUMN ecg_mart.recording_label.is_newest IS 'True for the newest scoring run of the recording by its task: without it a recording that was scored again counts twice.';

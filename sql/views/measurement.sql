-- measurement
-- Grain: one value that was measured on the median beat of one resting ECG.
-- Sources: ecg.measurement, ecg.scoring_run, ecg.recording.
-- Caveats: A recording has several rows for a value where several versions of the task resting scored it. What could not be told has no row.
CREATE OR REPLACE VIEW ecg_mart.measurement AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    measured.lead,
    measured.name,
    measured.value,
    measured.unit,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = run.task) AS is_newest
FROM ecg.measurement AS measured
JOIN ecg.scoring_run AS run ON run.scoring_run_id = measured.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.measurement IS 'Grain: one value that was measured on the median beat of one resting ECG. A recording has several rows for a value where several versions of the task resting scored it. What could not be told has no row.';
COMMENT ON COLUMN ecg_mart.measurement.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.measurement.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.measurement.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.measurement.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.measurement.lead IS 'The lead; NULL where all leads together were measured.';
COMMENT ON COLUMN ecg_mart.measurement.name IS 'What was measured, for instance qrs_duration_ms or j60_mv.';
COMMENT ON COLUMN ecg_mart.measurement.value IS 'The value; Q and S waves are 0 or negative.';
COMMENT ON COLUMN ecg_mart.measurement.unit IS 'ms, mV, deg, 1/min or 1.';
COMMENT ON COLUMN ecg_mart.measurement.is_newest IS 'True for the newest scoring run of the recording by its task: without it a recording that was scored again counts twice.';

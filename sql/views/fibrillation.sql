-- fibrillation
-- Grain: 30 s of one recording, from its start, by one model version.
-- Sources: ecg.scoring_run, ecg.recording.
-- Caveats: A last rest below 30 s has no row. No rows where it was scored before fibrillation was looked for.
CREATE OR REPLACE VIEW ecg_mart.fibrillation AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    (told.place - 1)::integer AS window_index,
    30.0::double precision * (told.place - 1) AS start_s,
    told.af_probability,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = run.task) AS is_newest
FROM ecg.scoring_run AS run
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id
CROSS JOIN LATERAL unnest(run.af_probability) WITH ORDINALITY AS told (af_probability, place);

COMMENT ON VIEW ecg_mart.fibrillation IS 'Grain: 30 s of one recording, from its start, by one model version. A last rest below 30 s has no row. No rows where it was scored before fibrillation was looked for.';
COMMENT ON COLUMN ecg_mart.fibrillation.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.fibrillation.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.fibrillation.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.fibrillation.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.fibrillation.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.fibrillation.window_index IS 'Number of the 30 s in its recording, from 0.';
COMMENT ON COLUMN ecg_mart.fibrillation.start_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.fibrillation.af_probability IS 'Probability of atrial fibrillation, 0 to 1; NULL where too few beats are analysable.';
COMMENT ON COLUMN ecg_mart.fibrillation.is_newest IS 'True for the newest scoring run of the recording by its task: without it a recording that was scored again counts twice.';

-- label_attribution
-- Grain: one player of one game for one superclass that was called of one resting ECG.
-- Sources: ecg.label_attribution, ecg.scoring_run, ecg.recording.
-- Caveats: Shapley values: those of one game add up to the probability less that with the mean normal beat in its place; games are not to be added to each other. Labels that were not called have none.
CREATE OR REPLACE VIEW ecg_mart.label_attribution AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    moved.label,
    moved.game,
    moved.player,
    moved.value AS moved_probability,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = run.task) AS is_newest,
    moved.standard_error
FROM ecg.label_attribution AS moved
JOIN ecg.scoring_run AS run ON run.scoring_run_id = moved.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.label_attribution IS 'Grain: one player of one game for one superclass that was called of one resting ECG. Shapley values: those of one game add up to the probability less that with the mean normal beat in its place; games are not to be added to each other. Labels that were not called have none.';
COMMENT ON COLUMN ecg_mart.label_attribution.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.label_attribution.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.label_attribution.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.label_attribution.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.label_attribution.label IS 'The superclass.';
COMMENT ON COLUMN ecg_mart.label_attribution.game IS 'leads (four groups of leads), waves (P wave, QRS, ST, T wave) or products (a wave in a group of leads).';
COMMENT ON COLUMN ecg_mart.label_attribution.player IS 'The group of leads, or the wave.';
COMMENT ON COLUMN ecg_mart.label_attribution.moved_probability IS 'By how much it moved the probability, -1 to 1.';
COMMENT ON COLUMN ecg_mart.label_attribution.is_newest IS 'True for the newest scoring run of the recording by its task: without it a recording that was scored again counts twice.';
COMMENT ON COLUMN ecg_mart.label_attribution.standard_error IS 'Standard error of moved_probability where it was estimated (products); NULL where it is exact.';

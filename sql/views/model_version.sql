-- model_version
-- Grain: one trained model version, never changed after it is written.
-- Sources: ecg.model_version, ecg.training_run, ecg.scoring_run.
-- Caveats: The champion of a task is the version that answers it unless a run names another.
CREATE OR REPLACE VIEW ecg_mart.model_version AS
SELECT
    version.model_version,
    version.family,
    version.created_at,
    version.registered_at,
    version.training_data,
    version.limits,
    version.model_version IS NOT DISTINCT FROM (SELECT run.model_version FROM ecg.training_run AS run WHERE run.verdict = 'promoted' AND run.task = version.task ORDER BY run.training_run_id DESC LIMIT 1) AS is_champion,
    (SELECT max(run.decided_at) FROM ecg.training_run AS run WHERE run.model_version = version.model_version AND run.verdict = 'promoted') AS promoted_at,
    (SELECT count(*) FROM ecg.scoring_run AS run WHERE run.model_version = version.model_version) AS n_recordings_scored,
    version.task
FROM ecg.model_version AS version;

COMMENT ON VIEW ecg_mart.model_version IS 'Grain: one trained model version, never changed after it is written. The champion of a task is the version that answers it unless a run names another.';
COMMENT ON COLUMN ecg_mart.model_version.model_version IS 'Name of the version.';
COMMENT ON COLUMN ecg_mart.model_version.family IS 'Kind of model, for instance cnn.';
COMMENT ON COLUMN ecg_mart.model_version.created_at IS 'When it was trained.';
COMMENT ON COLUMN ecg_mart.model_version.registered_at IS 'When it was entered here.';
COMMENT ON COLUMN ecg_mart.model_version.training_data IS 'What it was trained on, in words.';
COMMENT ON COLUMN ecg_mart.model_version.limits IS 'Known limits, one sentence each.';
COMMENT ON COLUMN ecg_mart.model_version.is_champion IS 'True for the version that answers its task.';
COMMENT ON COLUMN ecg_mart.model_version.promoted_at IS 'When it last became champion; NULL where it never did.';
COMMENT ON COLUMN ecg_mart.model_version.n_recordings_scored IS 'Recordings that it has scored.';
COMMENT ON COLUMN ecg_mart.model_version.task IS 'What it is asked: beats, rhythm or another.';

-- Model versions, and every decision about which of them scores.

CREATE TABLE ecg.model_version (
    model_version text PRIMARY KEY CHECK (model_version <> ''),
    family text NOT NULL,
    created_at timestamptz NOT NULL,
    training_data text[] NOT NULL,
    figures jsonb NOT NULL CHECK (jsonb_typeof(figures) = 'object'),
    limits text[] NOT NULL,
    manifest jsonb CHECK (jsonb_typeof(manifest) = 'object'),
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.model_version IS 'Grain: one trained artefact, never changed after it is written.';
COMMENT ON COLUMN ecg.model_version.model_version IS 'Name of the version.';
COMMENT ON COLUMN ecg.model_version.family IS 'Kind of model, for instance cnn.';
COMMENT ON COLUMN ecg.model_version.created_at IS 'When it was trained.';
COMMENT ON COLUMN ecg.model_version.training_data IS 'What it was trained on, in words.';
COMMENT ON COLUMN ecg.model_version.figures IS 'Its figures by name, for instance {"ds2.V.sensitivity": 0.93}; shares from 0 to 1 unless the name says otherwise; null where undefined.';
COMMENT ON COLUMN ecg.model_version.limits IS 'Known limits, one sentence each.';
COMMENT ON COLUMN ecg.model_version.manifest IS 'The manifest of its folder, with the SHA-256 of each file; NULL where only its scores are known here.';
COMMENT ON COLUMN ecg.model_version.registered_at IS 'When this row was written.';

CREATE TABLE ecg.training_run (
    training_run_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id text UNIQUE,
    model_version text NOT NULL REFERENCES ecg.model_version,
    judged_against text REFERENCES ecg.model_version,
    verdict text NOT NULL CHECK (verdict IN ('promoted', 'kept')),
    reason text NOT NULL CHECK (reason <> ''),
    figures jsonb CHECK (jsonb_typeof(figures) = 'object'),
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (verdict = 'promoted' OR judged_against IS NOT NULL)
);
CREATE INDEX training_run_promoted ON ecg.training_run (training_run_id) WHERE verdict = 'promoted';
COMMENT ON TABLE ecg.training_run IS 'Grain: one decision about a model version. The champion is the version of the newest row whose verdict is promoted; rows are only ever added.';
COMMENT ON COLUMN ecg.training_run.training_run_id IS 'Number of the decision, in the order in which decisions were made.';
COMMENT ON COLUMN ecg.training_run.run_id IS 'The scheduler''s run that led to it; NULL where a person or the set-up decided.';
COMMENT ON COLUMN ecg.training_run.model_version IS 'The version decided about (the challenger).';
COMMENT ON COLUMN ecg.training_run.judged_against IS 'The champion at that time; NULL where there was none or it was not compared.';
COMMENT ON COLUMN ecg.training_run.verdict IS 'promoted: it scores from now on; kept: the champion stays.';
COMMENT ON COLUMN ecg.training_run.reason IS 'Why, in a sentence with figures.';
COMMENT ON COLUMN ecg.training_run.figures IS 'Figures on the deciding set by model version; NULL where nothing was measured.';
COMMENT ON COLUMN ecg.training_run.decided_at IS 'When it was decided.';

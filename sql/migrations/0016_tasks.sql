-- More than one kind of model: versions, decisions and scoring runs belong to a task, and each task has its champion.
-- What stands here from before is of the task beats.

ALTER TABLE ecg.model_version ADD COLUMN task text NOT NULL DEFAULT 'beats' CHECK (task <> '');
COMMENT ON COLUMN ecg.model_version.task IS 'What the version is asked: beats (the class of each beat), rhythm (fibrillation by stretch) or another.';

ALTER TABLE ecg.training_run ADD COLUMN task text NOT NULL DEFAULT 'beats' CHECK (task <> '');
ALTER TABLE ecg.training_run DROP CONSTRAINT training_run_run_id_key;
ALTER TABLE ecg.training_run ADD CONSTRAINT training_run_run_id_key UNIQUE (run_id, task);
ALTER TABLE ecg.training_run DROP CONSTRAINT training_run_check;  -- the first version of a task is judged against none
DROP INDEX ecg.training_run_promoted;
CREATE INDEX training_run_promoted ON ecg.training_run (task, training_run_id) WHERE verdict = 'promoted';
COMMENT ON TABLE ecg.training_run IS 'Grain: one decision about a model version. The champion of a task is the version of its newest row whose verdict is promoted; rows are only ever added.';
COMMENT ON COLUMN ecg.training_run.task IS 'The task of the version decided about.';

ALTER TABLE ecg.scoring_run
    ADD COLUMN task text NOT NULL DEFAULT 'beats' CHECK (task <> ''),
    ALTER COLUMN n_beats DROP NOT NULL,
    ALTER COLUMN n_beats_analysable DROP NOT NULL,
    ALTER COLUMN n_class_n DROP NOT NULL,
    ALTER COLUMN n_class_s DROP NOT NULL,
    ALTER COLUMN n_class_v DROP NOT NULL,
    ALTER COLUMN n_class_f DROP NOT NULL,
    ALTER COLUMN n_class_q DROP NOT NULL,
    ADD CONSTRAINT scoring_run_beats_counted CHECK (task <> 'beats' OR num_nulls(n_beats, n_beats_analysable, n_class_n, n_class_s, n_class_v, n_class_f, n_class_q) = 0);
COMMENT ON COLUMN ecg.scoring_run.task IS 'The task of the version that scored.';
COMMENT ON COLUMN ecg.scoring_run.n_beats IS 'Beats detected; NULL, like the counts below, where the task is not beats.';

CREATE TABLE ecg.recording_label (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    task text NOT NULL CHECK (task <> ''),
    label text NOT NULL CHECK (label <> ''),
    probability real NOT NULL CHECK (probability BETWEEN 0 AND 1),
    in_set boolean NOT NULL,
    PRIMARY KEY (scoring_run_id, label)
);
COMMENT ON TABLE ecg.recording_label IS 'Grain: one label that a scoring run of a task other than beats weighed for the whole recording.';
COMMENT ON COLUMN ecg.recording_label.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.recording_label.task IS 'The task, as in scoring_run.';
COMMENT ON COLUMN ecg.recording_label.label IS 'The label, in the task''s own words.';
COMMENT ON COLUMN ecg.recording_label.probability IS 'Calibrated probability of the label, 0 to 1.';
COMMENT ON COLUMN ecg.recording_label.in_set IS 'Whether the label remains possible at the coverage that the model version states.';

CREATE TABLE ecg.recording_stretch (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    task text NOT NULL CHECK (task <> ''),
    from_s double precision NOT NULL CHECK (from_s >= 0),
    to_s double precision NOT NULL,
    label text NOT NULL CHECK (label <> ''),
    probability real NOT NULL CHECK (probability BETWEEN 0 AND 1),
    PRIMARY KEY (scoring_run_id, from_s, label),
    CHECK (to_s > from_s)
);
COMMENT ON TABLE ecg.recording_stretch IS 'Grain: one stretch of a recording that a scoring run of a task other than beats gave a label.';
COMMENT ON COLUMN ecg.recording_stretch.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.recording_stretch.task IS 'The task, as in scoring_run.';
COMMENT ON COLUMN ecg.recording_stretch.from_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.recording_stretch.to_s IS 'End, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.recording_stretch.label IS 'The label, in the task''s own words.';
COMMENT ON COLUMN ecg.recording_stretch.probability IS 'Mean probability of the label over the stretch, 0 to 1.';

-- What readers answered, what the checks found, and how far inputs and scores have moved from the training data.

CREATE TABLE ecg.reviewer (
    reviewer_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_name text NOT NULL UNIQUE CHECK (user_name <> ''),
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.reviewer IS 'Grain: one person who reviews. Analysts see the number alone.';
COMMENT ON COLUMN ecg.reviewer.reviewer_id IS 'Number of the reviewer.';
COMMENT ON COLUMN ecg.reviewer.user_name IS 'Name that they sign in with.';
COMMENT ON COLUMN ecg.reviewer.first_seen_at IS 'When they first reviewed.';

CREATE TABLE ecg.review (
    review_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    reviewer_id integer NOT NULL REFERENCES ecg.reviewer,
    subject text NOT NULL CHECK (subject IN ('recording', 'finding', 'beat', 'interval')),
    finding text CHECK (finding <> ''),
    beat_index integer CHECK (beat_index >= 0),
    start_s double precision CHECK (start_s >= 0),
    end_s double precision,
    agrees boolean,
    corrected_class text CHECK (corrected_class IN ('N', 'S', 'V', 'F', 'Q')),
    comment text,
    signed boolean NOT NULL DEFAULT false,
    reviewed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((subject = 'finding') = (finding IS NOT NULL)),
    CHECK ((subject = 'beat') = (beat_index IS NOT NULL)),
    CHECK ((subject = 'interval') = (start_s IS NOT NULL AND end_s IS NOT NULL)),
    CHECK ((start_s IS NULL) = (end_s IS NULL)),
    CHECK (end_s >= start_s),
    CHECK (corrected_class IS NULL OR subject IN ('beat', 'interval')),
    CHECK (NOT signed OR subject = 'recording')
);
CREATE INDEX review_run ON ecg.review (scoring_run_id, review_id);
COMMENT ON TABLE ecg.review IS 'Grain: one answer of one reviewer on one subject of a scoring run. Never changed: another answer is another row, and the newest counts.';
COMMENT ON COLUMN ecg.review.review_id IS 'Number of the answer, in the order in which they came.';
COMMENT ON COLUMN ecg.review.scoring_run_id IS 'The scoring run that was reviewed.';
COMMENT ON COLUMN ecg.review.reviewer_id IS 'Who answered.';
COMMENT ON COLUMN ecg.review.subject IS 'What the answer is about: recording, finding, beat or interval.';
COMMENT ON COLUMN ecg.review.finding IS 'Name of the finding, as in ecg_mart.finding; NULL for other subjects.';
COMMENT ON COLUMN ecg.review.beat_index IS 'The beat, as in beat; NULL for other subjects.';
COMMENT ON COLUMN ecg.review.start_s IS 'Begin of the interval, seconds from the start of the recording; NULL for other subjects.';
COMMENT ON COLUMN ecg.review.end_s IS 'End of the interval, seconds from the start of the recording; NULL for other subjects.';
COMMENT ON COLUMN ecg.review.agrees IS 'Whether the reviewer agrees with what the model said; NULL where they did not say.';
COMMENT ON COLUMN ecg.review.corrected_class IS 'Class that a beat or interval should have; NULL where none was given.';
COMMENT ON COLUMN ecg.review.comment IS 'Free text; may hold anything, so analysts do not see it. NULL where there is none.';
COMMENT ON COLUMN ecg.review.signed IS 'True where the reviewer signed the whole recording.';
COMMENT ON COLUMN ecg.review.reviewed_at IS 'When.';

CREATE FUNCTION ecg.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'rows of ecg.% are never changed: add another one', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
COMMENT ON FUNCTION ecg.refuse_change() IS 'Refuses an UPDATE.';
CREATE TRIGGER review_is_added_to BEFORE UPDATE ON ecg.review FOR EACH ROW EXECUTE FUNCTION ecg.refuse_change();

CREATE TABLE ecg.data_quality (
    data_quality_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    rule text NOT NULL CHECK (rule <> ''),
    severity text NOT NULL CHECK (severity IN ('severe', 'warning')),
    scored_since timestamptz,
    n_rows_broken integer NOT NULL CHECK (n_rows_broken >= 0),
    examples jsonb NOT NULL CHECK (jsonb_typeof(examples) = 'array'),
    seconds real NOT NULL CHECK (seconds >= 0)
);
CREATE INDEX data_quality_checked ON ecg.data_quality (checked_at);
COMMENT ON TABLE ecg.data_quality IS 'Grain: one rule of sql/checks at one time it was checked.';
COMMENT ON COLUMN ecg.data_quality.data_quality_id IS 'Number of the check.';
COMMENT ON COLUMN ecg.data_quality.checked_at IS 'When the checks began; the same for all rules of one round.';
COMMENT ON COLUMN ecg.data_quality.rule IS 'Name of the rule: its file in sql/checks without .sql.';
COMMENT ON COLUMN ecg.data_quality.severity IS 'severe: the task fails; warning: it is only noted.';
COMMENT ON COLUMN ecg.data_quality.scored_since IS 'Only what was scored from then on was looked at; NULL where everything was.';
COMMENT ON COLUMN ecg.data_quality.n_rows_broken IS 'Rows that break the rule; counted up to 10,000.';
COMMENT ON COLUMN ecg.data_quality.examples IS 'The keys of the first 20 of them.';
COMMENT ON COLUMN ecg.data_quality.seconds IS 'How long the check took.';

CREATE TABLE ecg.drift_reference (
    model_version text NOT NULL REFERENCES ecg.model_version,
    quantity text NOT NULL CHECK (quantity <> ''),
    bins text[] NOT NULL CHECK (cardinality(bins) > 1),
    shares double precision[] NOT NULL,
    mean double precision,
    n_beats bigint CHECK (n_beats > 0),
    source text NOT NULL CHECK (source <> ''),
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (model_version, quantity),
    CHECK (cardinality(bins) = cardinality(shares))
);
COMMENT ON TABLE ecg.drift_reference IS 'Grain: one model version and one quantity: how it was distributed over the training data.';
COMMENT ON COLUMN ecg.drift_reference.model_version IS 'The version.';
COMMENT ON COLUMN ecg.drift_reference.quantity IS 'class, class_probability, deviation_z or rr_next_to_rr_prev (half octaves: 2 log2 of next over previous RR interval).';
COMMENT ON COLUMN ecg.drift_reference.bins IS 'The classes, or the lower bound of each bin in words of numbers, -infinity first.';
COMMENT ON COLUMN ecg.drift_reference.shares IS 'Share of the beats in each bin; they sum to 1.';
COMMENT ON COLUMN ecg.drift_reference.mean IS 'Mean; NULL where it is not known or the quantity has none.';
COMMENT ON COLUMN ecg.drift_reference.n_beats IS 'Training beats it was counted over; NULL where it follows from a definition.';
COMMENT ON COLUMN ecg.drift_reference.source IS 'Where it comes from, in words.';
COMMENT ON COLUMN ecg.drift_reference.noted_at IS 'When this row was written.';

CREATE TABLE ecg.drift (
    model_version text NOT NULL,
    scored_on date NOT NULL,
    quantity text NOT NULL,
    n_beats bigint NOT NULL CHECK (n_beats > 0),
    mean double precision,
    shares double precision[] NOT NULL,
    population_stability_index double precision NOT NULL CHECK (population_stability_index >= 0),
    measured_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (model_version, scored_on, quantity),
    FOREIGN KEY (model_version, quantity) REFERENCES ecg.drift_reference
);
COMMENT ON TABLE ecg.drift IS 'Grain: one model version, one day of scoring and one quantity: how far it lies from the training data.';
COMMENT ON COLUMN ecg.drift.model_version IS 'The version that scored.';
COMMENT ON COLUMN ecg.drift.scored_on IS 'Day (UTC) on which the recordings were scored.';
COMMENT ON COLUMN ecg.drift.quantity IS 'As in drift_reference.';
COMMENT ON COLUMN ecg.drift.n_beats IS 'Analysable beats of that day for which it is known.';
COMMENT ON COLUMN ecg.drift.mean IS 'Mean; NULL where the quantity has none.';
COMMENT ON COLUMN ecg.drift.shares IS 'Share of the beats in each bin of drift_reference.';
COMMENT ON COLUMN ecg.drift.population_stability_index IS 'Sum over the bins of (share - reference) times ln(share / reference), shares of at least 0.0001: below 0.1 alike, above 0.25 far off.';
COMMENT ON COLUMN ecg.drift.measured_at IS 'When it was measured.';

CREATE TABLE ecg.installed_file (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    installed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.installed_file IS 'Grain: one file of sql/views or sql/roles as it was last installed.';
COMMENT ON COLUMN ecg.installed_file.name IS 'Its folder and name.';
COMMENT ON COLUMN ecg.installed_file.sha256 IS 'SHA-256 of it, 64 hex digits.';
COMMENT ON COLUMN ecg.installed_file.installed_at IS 'When.';

CREATE SCHEMA ecg_mart;
COMMENT ON SCHEMA ecg_mart IS 'What analysts may rely on: views with stable names, one grain each, no identities.';

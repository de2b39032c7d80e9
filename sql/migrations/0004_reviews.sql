-- What readers answered. The same text stands in the mart's migration of reviews: at the merge this file goes.

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

-- What a reader of reports needs: the findings as the report states them, the signal that its strips are drawn from, and
-- the reader's answer. A review is never changed and never deleted: a change of mind is a new review.

CREATE TABLE ecg.finding (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    finding_index smallint NOT NULL CHECK (finding_index >= 0),
    kind text NOT NULL CHECK (kind <> ''),
    tone text NOT NULL CHECK (tone IN ('urgent', 'notable', 'doubt', 'info')),
    sentence text NOT NULL CHECK (sentence <> ''),
    n integer CHECK (n >= 0),
    mean_probability real CHECK (mean_probability BETWEEN 0 AND 1),
    n_uncertain integer CHECK (n_uncertain >= 0),
    PRIMARY KEY (scoring_run_id, finding_index)
);
CREATE INDEX finding_kind ON ecg.finding (kind, scoring_run_id);
COMMENT ON TABLE ecg.finding IS 'Grain: one finding of one scoring run, as its report states it.';
COMMENT ON COLUMN ecg.finding.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.finding.finding_index IS 'Place of the finding in the report, from 0, the most urgent first.';
COMMENT ON COLUMN ecg.finding.kind IS 'A kind of rhythm episode; burden_V, burden_S, burden_F or burden_Q; poor_signal; or no_beats.';
COMMENT ON COLUMN ecg.finding.tone IS 'urgent, notable, info, or doubt (inconclusive).';
COMMENT ON COLUMN ecg.finding.sentence IS 'The finding in plain words.';
COMMENT ON COLUMN ecg.finding.n IS 'How many episodes, or beats for a burden; NULL where nothing is counted.';
COMMENT ON COLUMN ecg.finding.mean_probability IS 'Mean calibrated probability of the beats that it rests on, 0 to 1; NULL where it rests on no class.';
COMMENT ON COLUMN ecg.finding.n_uncertain IS 'How many of those beats are uncertain (probability below 0.8); NULL where it rests on no class.';

ALTER TABLE ecg.report ADD COLUMN urgency smallint NOT NULL DEFAULT 0 CHECK (urgency >= 0);
COMMENT ON COLUMN ecg.report.urgency IS 'Order of the worklist: 100 for each urgent finding, 10 for each notable one, 1 for each inconclusive one; at most 32767.';
CREATE INDEX report_urgency ON ecg.report (urgency, report_id);
-- A recording is searched by the start of its id, and listed by the model version that scored it.
CREATE INDEX scoring_run_quality ON ecg.scoring_run (analysable_share);

CREATE TABLE ecg.recording_signal (
    recording_id text COLLATE "C" NOT NULL REFERENCES ecg.recording,
    lead_index smallint NOT NULL CHECK (lead_index >= 0),
    chunk_index integer NOT NULL CHECK (chunk_index >= 0),
    n_samples integer NOT NULL CHECK (n_samples > 0),
    samples bytea NOT NULL,
    PRIMARY KEY (recording_id, lead_index, chunk_index)
);
-- It is compressed already.
ALTER TABLE ecg.recording_signal ALTER COLUMN samples SET STORAGE EXTERNAL;
COMMENT ON TABLE ecg.recording_signal IS 'Grain: one hour of one lead of a recording after cleaning, as the newest scoring run cleaned it.';
COMMENT ON COLUMN ecg.recording_signal.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg.recording_signal.lead_index IS 'The lead, from 0: its name is recording.lead_names[lead_index + 1].';
COMMENT ON COLUMN ecg.recording_signal.chunk_index IS 'The hour, from 0.';
COMMENT ON COLUMN ecg.recording_signal.n_samples IS 'Samples in it, at 250 Hz.';
COMMENT ON COLUMN ecg.recording_signal.samples IS 'Differences between neighbouring samples in steps of 5 microvolts, 16 bits little-endian, all low bytes before all high bytes, then zlib.';

CREATE TABLE ecg.raw_excerpt (
    scoring_run_id integer PRIMARY KEY REFERENCES ecg.scoring_run,
    start_s double precision NOT NULL CHECK (start_s >= 0),
    sampling_rate_hz double precision NOT NULL CHECK (sampling_rate_hz > 0),
    samples_mv real[] NOT NULL
);
COMMENT ON TABLE ecg.raw_excerpt IS 'Grain: one scoring run: a few seconds of its primary lead as recorded, shown over the cleaned signal.';
COMMENT ON COLUMN ecg.raw_excerpt.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.raw_excerpt.start_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.raw_excerpt.sampling_rate_hz IS 'Samples per second, the recording''s own.';
COMMENT ON COLUMN ecg.raw_excerpt.samples_mv IS 'Samples in millivolts, before any filter; NULL where the file marks one as missing.';

CREATE TABLE ecg.review (
    review_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    reviewer text NOT NULL CHECK (reviewer <> ''),
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    comment text CHECK (comment <> ''),
    signed boolean NOT NULL
);
CREATE INDEX review_scoring_run ON ecg.review (scoring_run_id, review_id);
COMMENT ON TABLE ecg.review IS 'Grain: one answer of a reader to the report of one scoring run. Rows are only added; the newest signed one holds.';
COMMENT ON COLUMN ecg.review.review_id IS 'Number of the review, in the order in which reviews were written.';
COMMENT ON COLUMN ecg.review.scoring_run_id IS 'What was reviewed.';
COMMENT ON COLUMN ecg.review.reviewer IS 'The user who was signed in to Airflow.';
COMMENT ON COLUMN ecg.review.written_at IS 'When it was written.';
COMMENT ON COLUMN ecg.review.comment IS 'The reader''s own words; NULL where none were given.';
COMMENT ON COLUMN ecg.review.signed IS 'True where the reader signed it; else it is a draft.';

CREATE TABLE ecg.review_finding (
    review_id bigint NOT NULL REFERENCES ecg.review,
    finding_index smallint NOT NULL CHECK (finding_index >= 0),
    verdict text NOT NULL CHECK (verdict IN ('agree', 'disagree')),
    PRIMARY KEY (review_id, finding_index)
);
COMMENT ON TABLE ecg.review_finding IS 'Grain: one finding that a review judges; findings without a row were not judged.';
COMMENT ON COLUMN ecg.review_finding.review_id IS 'The review.';
COMMENT ON COLUMN ecg.review_finding.finding_index IS 'The finding, as in finding.';
COMMENT ON COLUMN ecg.review_finding.verdict IS 'agree or disagree.';

CREATE TABLE ecg.review_correction (
    review_id bigint NOT NULL REFERENCES ecg.review,
    correction_index smallint NOT NULL CHECK (correction_index >= 0),
    start_s double precision NOT NULL CHECK (start_s >= 0),
    end_s double precision NOT NULL,
    first_beat_index integer NOT NULL CHECK (first_beat_index >= 0),
    last_beat_index integer NOT NULL,
    class text NOT NULL CHECK (class IN ('N', 'S', 'V', 'F', 'Q')),
    PRIMARY KEY (review_id, correction_index),
    CHECK (end_s >= start_s),
    CHECK (last_beat_index >= first_beat_index)
);
COMMENT ON TABLE ecg.review_correction IS 'Grain: one beat or stretch of beats whose class a reader corrected.';
COMMENT ON COLUMN ecg.review_correction.review_id IS 'The review.';
COMMENT ON COLUMN ecg.review_correction.correction_index IS 'Number of the correction in its review, from 0; a later one goes before an earlier one.';
COMMENT ON COLUMN ecg.review_correction.start_s IS 'Begin as the reader gave it, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.review_correction.end_s IS 'End as the reader gave it; the same as start_s for one beat.';
COMMENT ON COLUMN ecg.review_correction.first_beat_index IS 'First beat that it holds for, as in beat.';
COMMENT ON COLUMN ecg.review_correction.last_beat_index IS 'Last beat that it holds for, itself included.';
COMMENT ON COLUMN ecg.review_correction.class IS 'What the reader says they are: N, S, V, F or Q.';

CREATE FUNCTION ecg.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'reviews are only added: %.% refuses %', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', HINT = 'Write a new review.';
END $$;
COMMENT ON FUNCTION ecg.refuse_change() IS 'Keeps reviews as they were written.';
CREATE TRIGGER review_is_kept BEFORE UPDATE OR DELETE ON ecg.review FOR EACH ROW EXECUTE FUNCTION ecg.refuse_change();
CREATE TRIGGER review_finding_is_kept BEFORE UPDATE OR DELETE ON ecg.review_finding FOR EACH ROW EXECUTE FUNCTION ecg.refuse_change();
CREATE TRIGGER review_correction_is_kept BEFORE UPDATE OR DELETE ON ecg.review_correction FOR EACH ROW EXECUTE FUNCTION ecg.refuse_change();

-- So that a result can be read back as it was written.
ALTER TABLE ecg.chosen_beat ADD COLUMN place smallint NOT NULL DEFAULT 0 CHECK (place >= 0);
COMMENT ON COLUMN ecg.chosen_beat.place IS 'Place of the beat in the report, from 0.';
ALTER TABLE ecg.scoring_run ADD COLUMN primary_lead_index smallint NOT NULL DEFAULT 0 CHECK (primary_lead_index >= 0);
COMMENT ON COLUMN ecg.scoring_run.primary_lead_index IS 'The lead that beats were classified on, from 0: several leads of a file may have the same name.';

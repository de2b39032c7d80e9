-- The reader's word counts: what stands after it is worked out again and kept, each time with since when it holds.

ALTER TABLE ecg.review
    ADD COLUMN no_beat boolean NOT NULL DEFAULT false,
    ADD COLUMN rhythm text CHECK (rhythm <> ''),
    ADD COLUMN signed_sha256 text CHECK (signed_sha256 ~ '^[0-9a-f]{64}$'),
    DROP CONSTRAINT review_subject_check,
    DROP CONSTRAINT review_check2,
    DROP CONSTRAINT review_check5,
    ADD CONSTRAINT review_subject_check CHECK (subject IN ('recording', 'finding', 'beat', 'added_beat', 'interval')),
    ADD CONSTRAINT review_place_check CHECK ((subject IN ('interval', 'added_beat')) = (start_s IS NOT NULL AND end_s IS NOT NULL)),
    ADD CONSTRAINT review_class_check CHECK (corrected_class IS NULL OR subject IN ('beat', 'added_beat', 'interval')),
    ADD CONSTRAINT review_no_beat_check CHECK (NOT no_beat OR (subject IN ('beat', 'added_beat') AND corrected_class IS NULL)),
    ADD CONSTRAINT review_named_check CHECK (rhythm IS NULL OR (subject = 'interval' AND corrected_class IS NULL)),
    ADD CONSTRAINT review_sha256_check CHECK (signed_sha256 IS NULL OR signed);
COMMENT ON COLUMN ecg.review.subject IS 'What the answer is about: recording, finding, beat (of the model), added_beat (one that the model missed) or interval.';
COMMENT ON COLUMN ecg.review.start_s IS 'Begin of the interval, or time of the added beat, seconds from the start of the recording; NULL for other subjects.';
COMMENT ON COLUMN ecg.review.end_s IS 'End of the interval, or time of the added beat, seconds from the start of the recording; NULL for other subjects.';
COMMENT ON COLUMN ecg.review.no_beat IS 'True where the reviewer says that there is no beat.';
COMMENT ON COLUMN ecg.review.rhythm IS 'What the reviewer calls the interval: a kind of episode, sinus (none is there) or noise; NULL where it is not named.';
COMMENT ON COLUMN ecg.review.signed_sha256 IS 'SHA-256 of what was signed (beats with their classes, findings), 64 hex digits; NULL where nothing was, and in answers of earlier releases.';

CREATE TABLE ecg.final_reading (
    final_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reading_id integer NOT NULL REFERENCES ecg.reading,
    holds_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL CHECK (state IN ('preliminary', 'final', 'amended')),
    signed_by integer NOT NULL REFERENCES ecg.reviewer (reviewer_id),
    signed_at timestamptz NOT NULL,
    signature_holds boolean NOT NULL,
    urgency smallint NOT NULL CHECK (urgency >= 0),
    n_beats integer NOT NULL CHECK (n_beats >= 0),
    n_beats_analysable integer NOT NULL CHECK (n_beats_analysable BETWEEN 0 AND n_beats),
    n_class_n integer NOT NULL CHECK (n_class_n >= 0),
    n_class_s integer NOT NULL CHECK (n_class_s >= 0),
    n_class_v integer NOT NULL CHECK (n_class_v >= 0),
    n_class_f integer NOT NULL CHECK (n_class_f >= 0),
    n_class_q integer NOT NULL CHECK (n_class_q >= 0),
    n_beats_changed integer NOT NULL CHECK (n_beats_changed >= 0),
    mean_heart_rate_bpm real CHECK (mean_heart_rate_bpm > 0),
    min_heart_rate_bpm real CHECK (min_heart_rate_bpm > 0),
    max_heart_rate_bpm real CHECK (max_heart_rate_bpm > 0)
);
CREATE INDEX final_reading_reading ON ecg.final_reading (reading_id, final_id);
COMMENT ON TABLE ecg.final_reading IS 'Grain: what stood of one reading from one moment on, after readers'' answers. Never changed: the newest row holds now; a reading without a row stands as it was scored.';
COMMENT ON COLUMN ecg.final_reading.final_id IS 'Number of the row, in the order in which they came.';
COMMENT ON COLUMN ecg.final_reading.reading_id IS 'The reading.';
COMMENT ON COLUMN ecg.final_reading.holds_since IS 'From when on it holds, until the reading''s next row.';
COMMENT ON COLUMN ecg.final_reading.state IS 'final: signed as scored; amended: signed, and not as scored; preliminary: the signature no longer holds.';
COMMENT ON COLUMN ecg.final_reading.signed_by IS 'Who signed last.';
COMMENT ON COLUMN ecg.final_reading.signed_at IS 'When.';
COMMENT ON COLUMN ecg.final_reading.signature_holds IS 'False where something was answered since and not signed: values are those that were signed.';
COMMENT ON COLUMN ecg.final_reading.urgency IS 'Order of the worklist: 100 for each urgent finding that stands, 10 for each notable one, 1 for each doubt.';
COMMENT ON COLUMN ecg.final_reading.n_beats IS 'Beats, those that readers added too, without those that they said are none.';
COMMENT ON COLUMN ecg.final_reading.n_beats_analysable IS 'Beats of which something is said.';
COMMENT ON COLUMN ecg.final_reading.n_class_n IS 'Analysable beats of class N.';
COMMENT ON COLUMN ecg.final_reading.n_class_s IS 'Analysable beats of class S.';
COMMENT ON COLUMN ecg.final_reading.n_class_v IS 'Analysable beats of class V.';
COMMENT ON COLUMN ecg.final_reading.n_class_f IS 'Analysable beats of class F.';
COMMENT ON COLUMN ecg.final_reading.n_class_q IS 'Analysable beats of class Q.';
COMMENT ON COLUMN ecg.final_reading.n_beats_changed IS 'Beats that are not as the model left them: another class, added, or none.';
COMMENT ON COLUMN ecg.final_reading.mean_heart_rate_bpm IS 'Mean heart rate, beats per minute; NULL where too few beats are analysable.';
COMMENT ON COLUMN ecg.final_reading.min_heart_rate_bpm IS 'Lowest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg.final_reading.max_heart_rate_bpm IS 'Highest heart rate over 8 RR intervals, beats per minute.';

CREATE TABLE ecg.final_beat (
    final_id bigint NOT NULL REFERENCES ecg.final_reading,
    place integer NOT NULL CHECK (place >= 0),
    beat_index integer CHECK (beat_index >= 0),
    r_sample bigint NOT NULL CHECK (r_sample >= 0),
    r_time_s double precision NOT NULL CHECK (r_time_s >= 0),
    class text CHECK (class IN ('N', 'S', 'V', 'F', 'Q')),
    analysable boolean NOT NULL,
    rr_prev_ms real CHECK (rr_prev_ms > 0),
    rr_next_ms real CHECK (rr_next_ms > 0),
    reviewer_id integer REFERENCES ecg.reviewer,
    PRIMARY KEY (final_id, place)
);
CREATE INDEX final_beat_beat ON ecg.final_beat (final_id, beat_index);
COMMENT ON TABLE ecg.final_beat IS 'Grain: one beat that is not as the model left it, in one row of final_reading. All others are as in beat.';
COMMENT ON COLUMN ecg.final_beat.final_id IS 'The row of final_reading.';
COMMENT ON COLUMN ecg.final_beat.place IS 'Number of the beat among them, by time, from 0.';
COMMENT ON COLUMN ecg.final_beat.beat_index IS 'The model''s beat, as in beat; NULL for one that a reader added.';
COMMENT ON COLUMN ecg.final_beat.r_sample IS 'R peak, sample number at the recording''s own rate.';
COMMENT ON COLUMN ecg.final_beat.r_time_s IS 'R peak, seconds from the start.';
COMMENT ON COLUMN ecg.final_beat.class IS 'Class that stands; NULL where a reader said that there is no beat.';
COMMENT ON COLUMN ecg.final_beat.analysable IS 'Something is said of it.';
COMMENT ON COLUMN ecg.final_beat.rr_prev_ms IS 'RR interval before it among the beats that stand, milliseconds; NULL where unknown.';
COMMENT ON COLUMN ecg.final_beat.rr_next_ms IS 'RR interval after it among the beats that stand, milliseconds; NULL where unknown.';
COMMENT ON COLUMN ecg.final_beat.reviewer_id IS 'Who said so of this beat; NULL where it only follows (its neighbour was added or is none, or it lies in a stretch that was named).';

CREATE TABLE ecg.final_episode (
    final_id bigint NOT NULL REFERENCES ecg.final_reading,
    episode_index integer NOT NULL CHECK (episode_index >= 0),
    kind text NOT NULL CHECK (kind <> ''),
    start_s double precision NOT NULL CHECK (start_s >= 0),
    end_s double precision NOT NULL,
    n_beats integer NOT NULL CHECK (n_beats >= 0),
    heart_rate_bpm real CHECK (heart_rate_bpm > 0),
    probability real CHECK (probability BETWEEN 0 AND 1),
    reviewer_id integer REFERENCES ecg.reviewer,
    PRIMARY KEY (final_id, episode_index),
    CHECK (end_s >= start_s)
);
COMMENT ON TABLE ecg.final_episode IS 'Grain: one stretch with a name that stands, in one row of final_reading.';
COMMENT ON COLUMN ecg.final_episode.final_id IS 'The row of final_reading.';
COMMENT ON COLUMN ecg.final_episode.episode_index IS 'Number of the stretch, by start, from 0.';
COMMENT ON COLUMN ecg.final_episode.kind IS 'As in rhythm_episode.';
COMMENT ON COLUMN ecg.final_episode.start_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.final_episode.end_s IS 'End, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.final_episode.n_beats IS 'Beats in it that stand, those at its ends too.';
COMMENT ON COLUMN ecg.final_episode.heart_rate_bpm IS 'Heart rate in it, beats per minute; NULL where it has none.';
COMMENT ON COLUMN ecg.final_episode.probability IS 'As in rhythm_episode; 1 where a reader named it.';
COMMENT ON COLUMN ecg.final_episode.reviewer_id IS 'Who named it; NULL where it follows from the beats or is the model''s.';

CREATE TABLE ecg.final_finding (
    final_id bigint NOT NULL REFERENCES ecg.final_reading,
    finding_index smallint NOT NULL CHECK (finding_index >= 0),
    kind text NOT NULL CHECK (kind <> ''),
    urgency text NOT NULL CHECK (urgency IN ('urgent', 'notable', 'info', 'doubt')),
    sentence text,
    mean_probability double precision,
    n_uncertain integer CHECK (n_uncertain >= 0),
    n_episodes integer CHECK (n_episodes > 0),
    n_beats integer CHECK (n_beats >= 0),
    beat_share double precision CHECK (beat_share BETWEEN 0 AND 1),
    total_s double precision CHECK (total_s >= 0),
    longest_s double precision CHECK (longest_s >= 0),
    min_heart_rate_bpm real CHECK (min_heart_rate_bpm > 0),
    max_heart_rate_bpm real CHECK (max_heart_rate_bpm > 0),
    n_called integer CHECK (n_called >= 0),
    n_in_fibrillation integer CHECK (n_in_fibrillation >= 0),
    evidence jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(evidence) = 'array'),
    PRIMARY KEY (final_id, finding_index)
);
COMMENT ON TABLE ecg.final_finding IS 'Grain: one finding that stands, in one row of final_reading.';
COMMENT ON COLUMN ecg.final_finding.final_id IS 'The row of final_reading.';
COMMENT ON COLUMN ecg.final_finding.finding_index IS 'Its place in the report, from 0.';
COMMENT ON COLUMN ecg.final_finding.kind IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.urgency IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.sentence IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.mean_probability IS 'As in finding; of beats whose class a reader gave none is known.';
COMMENT ON COLUMN ecg.final_finding.n_uncertain IS 'As in finding; beats whose class a reader gave are certain.';
COMMENT ON COLUMN ecg.final_finding.n_episodes IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.n_beats IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.beat_share IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.total_s IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.longest_s IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.min_heart_rate_bpm IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.max_heart_rate_bpm IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.n_called IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.n_in_fibrillation IS 'As in finding.';
COMMENT ON COLUMN ecg.final_finding.evidence IS 'As in finding.';

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['final_reading', 'final_beat', 'final_episode', 'final_finding'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON ecg.%I FOR EACH ROW EXECUTE FUNCTION ecg.refuse_change()', kept || '_is_added_to', kept);
    END LOOP;
END $$;

ALTER TABLE ecg.report ADD COLUMN final_id bigint REFERENCES ecg.final_reading;
COMMENT ON COLUMN ecg.report.final_id IS 'What of the reading''s final values the file shows; NULL where it is the report as scored.';

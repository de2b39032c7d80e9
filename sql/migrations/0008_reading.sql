-- What a reader of reports needs: the findings as the report states them, and the signal that its strips are drawn from.

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
COMMENT ON COLUMN ecg.finding.kind IS 'A kind of rhythm episode; v_beats, s_beats, f_beats or q_beats; poor_signal; or no_analysable_beats.';
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

-- Neither changed nor deleted: a change of mind is another answer.
CREATE TRIGGER review_is_kept BEFORE DELETE ON ecg.review FOR EACH ROW EXECUTE FUNCTION ecg.refuse_change();
CREATE INDEX review_signed ON ecg.review (scoring_run_id) WHERE signed;

-- So that a result can be read back as it was written.
ALTER TABLE ecg.chosen_beat ADD COLUMN place smallint NOT NULL DEFAULT 0 CHECK (place >= 0);
COMMENT ON COLUMN ecg.chosen_beat.place IS 'Place of the beat in the report, from 0.';
ALTER TABLE ecg.scoring_run ADD COLUMN primary_lead_index smallint NOT NULL DEFAULT 0 CHECK (primary_lead_index >= 0);
COMMENT ON COLUMN ecg.scoring_run.primary_lead_index IS 'The lead that beats were classified on, from 0: several leads of a file may have the same name.';
-- Partitions that are there already have taken the column, but not its comment.
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'ecg.chosen_beat'::regclass LOOP
        EXECUTE format('COMMENT ON COLUMN %s.place IS %L', part, 'Place of the beat in the report, from 0.');
    END LOOP;
END $$;
-- What was stored before: beats were written in the order of the report, and lead names are seldom given twice.
UPDATE ecg.chosen_beat AS beat SET place = ranked.place
FROM (
    SELECT scoring_run_id, beat_index, row_number() OVER (PARTITION BY scoring_run_id ORDER BY tableoid, ctid) - 1 AS place
    FROM ecg.chosen_beat
) AS ranked
WHERE ranked.scoring_run_id = beat.scoring_run_id AND ranked.beat_index = beat.beat_index;
UPDATE ecg.scoring_run AS run SET primary_lead_index = coalesce(array_position(recording.lead_names, run.primary_lead) - 1, 0)
FROM ecg.recording AS recording
WHERE recording.recording_id = run.recording_id;

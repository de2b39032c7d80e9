-- ingest
-- Grain: one content that ever arrived, readable or not.
-- Sources: ecg.ingest_ledger, ecg.arrival, ecg.scoring_run, ecg.recording.
-- Caveats: Where it arrived and what the fault's sentence says are left out: file names can hold a patient's name.
CREATE OR REPLACE VIEW ecg_mart.ingest AS
SELECT
    ledger.recording_id,
    ledger.state,
    ledger.code,
    ledger.size_bytes,
    (SELECT count(*) FROM ecg.arrival AS arrival WHERE arrival.recording_id = ledger.recording_id)::integer AS n_sources,
    ledger.first_seen_at,
    (ledger.first_seen_at AT TIME ZONE 'UTC')::date AS arrived_on,
    ledger.done_at,
    (ledger.done_at AT TIME ZONE 'UTC')::date AS done_on,
    extract(epoch FROM ledger.done_at - ledger.first_seen_at)::double precision AS waited_s,
    ledger.attempts,
    recording.duration_s,
    run.n_beats,
    run.scoring_s,
    ledger.superseded_by
FROM ecg.ingest_ledger AS ledger
LEFT JOIN ecg.recording AS recording ON recording.recording_id = ledger.recording_id
LEFT JOIN LATERAL (
    SELECT
        first_run.n_beats,
        (SELECT sum(stage.value::double precision) FROM jsonb_each_text(first_run.stage_seconds) AS stage) AS scoring_s
    FROM ecg.scoring_run AS first_run
    WHERE first_run.recording_id = ledger.recording_id AND first_run.task = 'beats'
    ORDER BY first_run.scoring_run_id
    LIMIT 1
) AS run ON true;

COMMENT ON VIEW ecg_mart.ingest IS 'Grain: one content that ever arrived, readable or not. Where it arrived and what the fault''s sentence says are left out: file names can hold a patient''s name.';
COMMENT ON COLUMN ecg_mart.ingest.recording_id IS 'SHA-256 of the content, 64 hex digits; not in ecg_mart.recording where it could not be read.';
COMMENT ON COLUMN ecg_mart.ingest.state IS 'waiting, claimed (a task works on it), scored, or set aside (cannot be used).';
COMMENT ON COLUMN ecg_mart.ingest.code IS 'Kind of fault, for instance truncated signal; NULL unless set aside.';
COMMENT ON COLUMN ecg_mart.ingest.size_bytes IS 'Size of its files in bytes.';
COMMENT ON COLUMN ecg_mart.ingest.n_sources IS 'At how many addresses it arrived: more than 1 means duplicates.';
COMMENT ON COLUMN ecg_mart.ingest.first_seen_at IS 'When it first arrived.';
COMMENT ON COLUMN ecg_mart.ingest.arrived_on IS 'Day (UTC) of that.';
COMMENT ON COLUMN ecg_mart.ingest.done_at IS 'When it was scored or set aside; NULL before.';
COMMENT ON COLUMN ecg_mart.ingest.done_on IS 'Day (UTC) of that.';
COMMENT ON COLUMN ecg_mart.ingest.waited_s IS 'Seconds from arrival to being done; NULL before.';
COMMENT ON COLUMN ecg_mart.ingest.attempts IS 'How often a task began to score it.';
COMMENT ON COLUMN ecg_mart.ingest.duration_s IS 'Length of the recording in seconds; NULL where it could not be read.';
COMMENT ON COLUMN ecg_mart.ingest.n_beats IS 'Beats detected by the version that scored it first; NULL where it was not scored.';
COMMENT ON COLUMN ecg_mart.ingest.scoring_s IS 'Seconds that scoring it took, over all stages, the first time; NULL where it was not scored.';
COMMENT ON COLUMN ecg_mart.ingest.superseded_by IS 'The recording that this was only the beginning of, and that came whole later; NULL for all others.';

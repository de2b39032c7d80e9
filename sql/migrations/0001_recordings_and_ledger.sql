-- Who was recorded, what was recorded, what arrived, and what became of it.
-- The schema `ecg` itself is made by the migrator, which keeps its history there.

CREATE TABLE ecg.patient (
    patient_pseudonym text PRIMARY KEY,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.patient IS 'Grain: one person, known by a pseudonym only. No name, birth date or identifier is stored anywhere.';
COMMENT ON COLUMN ecg.patient.patient_pseudonym IS 'Keyed hash of the identifier in the file; the key is not in the database.';
COMMENT ON COLUMN ecg.patient.first_seen_at IS 'When the first recording of this person was stored.';

CREATE TABLE ecg.recording (
    recording_id text COLLATE "C" PRIMARY KEY CHECK (recording_id ~ '^[0-9a-f]{64}$'),
    patient_pseudonym text REFERENCES ecg.patient,
    source_format text NOT NULL,
    lead_names text[] NOT NULL CHECK (cardinality(lead_names) > 0),
    sampling_rate_hz double precision NOT NULL CHECK (sampling_rate_hz > 0),
    n_samples bigint NOT NULL CHECK (n_samples > 0),
    duration_s double precision NOT NULL CHECK (duration_s > 0),
    start_time timestamp,
    start_utc_offset_s integer CHECK (abs(start_utc_offset_s) < 86400),
    device text,
    synthetic boolean NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (start_utc_offset_s IS NULL OR start_time IS NOT NULL)
);
CREATE INDEX recording_patient ON ecg.recording (patient_pseudonym);
COMMENT ON TABLE ecg.recording IS 'Grain: one recording that could be read. The same content under another name is the same recording.';
COMMENT ON COLUMN ecg.recording.recording_id IS 'SHA-256 of the content, 64 hex digits.';
COMMENT ON COLUMN ecg.recording.patient_pseudonym IS 'Whose heart; NULL where the file names no patient.';
COMMENT ON COLUMN ecg.recording.source_format IS 'File format, for instance wfdb.';
COMMENT ON COLUMN ecg.recording.lead_names IS 'Lead names as in the file, in the order of its signals; signal_quality.lead_index counts from 0.';
COMMENT ON COLUMN ecg.recording.sampling_rate_hz IS 'Samples per second and lead, as recorded.';
COMMENT ON COLUMN ecg.recording.n_samples IS 'Samples per lead.';
COMMENT ON COLUMN ecg.recording.duration_s IS 'Length in seconds.';
COMMENT ON COLUMN ecg.recording.start_time IS 'Wall-clock time of the first sample as the file says it, without time zone because files seldom give one; NULL where the file has none.';
COMMENT ON COLUMN ecg.recording.start_utc_offset_s IS 'Seconds that start_time is ahead of UTC; NULL where the file gives no time zone.';
COMMENT ON COLUMN ecg.recording.device IS 'Recorder, as the file says; NULL where it does not.';
COMMENT ON COLUMN ecg.recording.synthetic IS 'True where a generator made it: no person was recorded.';
COMMENT ON COLUMN ecg.recording.stored_at IS 'When this row was written.';

CREATE TABLE ecg.ingest_ledger (
    recording_id text COLLATE "C" PRIMARY KEY CHECK (recording_id ~ '^[0-9a-f]{64}$'),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'claimed', 'scored', 'set aside')),
    staged_path text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    owner text,
    lease_until timestamptz,
    done_at timestamptz,
    code text,
    reason text,
    CHECK ((state = 'claimed') = (owner IS NOT NULL AND lease_until IS NOT NULL)),
    CHECK ((owner IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('scored', 'set aside')) = (done_at IS NOT NULL)),
    CHECK ((state = 'set aside') = (code IS NOT NULL AND reason IS NOT NULL)),
    CHECK ((code IS NULL) = (reason IS NULL))
);
CREATE INDEX ingest_ledger_open ON ecg.ingest_ledger (first_seen_at, recording_id) WHERE state IN ('waiting', 'claimed');
COMMENT ON TABLE ecg.ingest_ledger IS 'Grain: one content that ever arrived, readable or not. Says what became of it.';
COMMENT ON COLUMN ecg.ingest_ledger.recording_id IS 'SHA-256 of the content, 64 hex digits; no row in recording where it could not be read.';
COMMENT ON COLUMN ecg.ingest_ledger.state IS 'waiting, claimed (a task works on it), scored, or set aside (cannot be used; code and reason say why).';
COMMENT ON COLUMN ecg.ingest_ledger.staged_path IS 'Where the canonical copy lies, relative to the folder of staged recordings.';
COMMENT ON COLUMN ecg.ingest_ledger.size_bytes IS 'Size of its files in bytes.';
COMMENT ON COLUMN ecg.ingest_ledger.first_seen_at IS 'When this content first arrived.';
COMMENT ON COLUMN ecg.ingest_ledger.attempts IS 'How often a task began to score it.';
COMMENT ON COLUMN ecg.ingest_ledger.owner IS 'Who claims it; NULL unless claimed.';
COMMENT ON COLUMN ecg.ingest_ledger.lease_until IS 'From when others may take the claim over; NULL unless claimed.';
COMMENT ON COLUMN ecg.ingest_ledger.done_at IS 'When it was scored or set aside; NULL before.';
COMMENT ON COLUMN ecg.ingest_ledger.code IS 'Kind of fault, for instance truncated signal; NULL unless set aside.';
COMMENT ON COLUMN ecg.ingest_ledger.reason IS 'What is wrong and what would mend it, in a sentence; NULL unless set aside.';

CREATE TABLE ecg.arrival (
    recording_id text COLLATE "C" NOT NULL REFERENCES ecg.ingest_ledger,
    source text COLLATE "C" NOT NULL CHECK (octet_length(source) <= 2048),
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    file_changed_unix_s double precision NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, recording_id)
);
CREATE INDEX arrival_recording ON ecg.arrival (recording_id);
COMMENT ON TABLE ecg.arrival IS 'Grain: one content at one source address. A duplicate has several sources; a source whose content changed has several contents.';
COMMENT ON COLUMN ecg.arrival.recording_id IS 'SHA-256 of the content, 64 hex digits.';
COMMENT ON COLUMN ecg.arrival.source IS 'Address of the main file where it arrived; bytes that Postgres cannot hold are written as \x00 or \udcff, and one that is very long ends in its SHA-256.';
COMMENT ON COLUMN ecg.arrival.size_bytes IS 'Size of its files there, in bytes.';
COMMENT ON COLUMN ecg.arrival.file_changed_unix_s IS 'Newest change of its files as the source says, in seconds since 1970 UTC; a number because it is compared to the last bit.';
COMMENT ON COLUMN ecg.arrival.first_seen_at IS 'When this content was first found at this address.';
COMMENT ON COLUMN ecg.arrival.last_seen_at IS 'When its bytes were last read at this address; unchanged files are not read again.';

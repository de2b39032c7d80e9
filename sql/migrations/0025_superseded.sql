-- A half that came first, and the whole that came after it under the same name.

ALTER TABLE ecg.ingest_ledger ADD COLUMN superseded_by text COLLATE "C" REFERENCES ecg.ingest_ledger;
COMMENT ON COLUMN ecg.ingest_ledger.superseded_by IS 'The longer content that came later at the same address and begins with this one: this was a part of it. NULL for all others.';

CREATE TABLE ecg.inbox_seen (
    address text COLLATE "C" PRIMARY KEY,
    is_mount boolean NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.inbox_seen IS 'Grain: one inbox that was looked at.';
COMMENT ON COLUMN ecg.inbox_seen.address IS 'Folder or object-store address.';
COMMENT ON COLUMN ecg.inbox_seen.is_mount IS 'Whether a file system was mounted there at the last look that found it as it should be.';
COMMENT ON COLUMN ecg.inbox_seen.looked_at IS 'When that was.';

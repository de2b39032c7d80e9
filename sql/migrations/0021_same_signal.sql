-- The same signal under another format, name or header: it is told, and scored once unless asked.

ALTER TABLE ecg.recording ADD COLUMN fingerprint text COLLATE "C" CHECK (fingerprint ~ '^[0-9a-f]{64}$');
CREATE INDEX recording_fingerprint ON ecg.recording (fingerprint);
COMMENT ON COLUMN ecg.recording.fingerprint IS 'SHA-256 of the samples in steps of 5 µV, the same in every format, 64 hex digits; NULL where it was stored before fingerprints were kept.';

ALTER TABLE ecg.ingest_ledger ADD COLUMN although_duplicate boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ecg.ingest_ledger.although_duplicate IS 'True where somebody asked that it is scored although its signal was scored under another recording.';

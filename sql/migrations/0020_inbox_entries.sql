-- What lies in an inbox and is in no ledger: still being written, without its parts, not readable.

ALTER TABLE ecg.arrival ADD COLUMN stamp text, ADD COLUMN parts text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN ecg.arrival.stamp IS 'Hash of its files'' names, sizes, times and places on the disk: a file that is replaced has another one. NULL for arrivals of earlier releases, which are read once more.';
COMMENT ON COLUMN ecg.arrival.parts IS 'Its files beside the main one, relative to the inbox.';

CREATE TABLE ecg.inbox_entry (
    source text COLLATE "C" PRIMARY KEY CHECK (octet_length(source) <= 2048),
    state text NOT NULL CHECK (state IN ('waiting', 'set aside')),
    code text NOT NULL,
    reason text NOT NULL,
    stamp text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.inbox_entry IS 'Grain: one entry of an inbox that is in no ledger, as the last look found it. Gone when it was registered or taken away.';
COMMENT ON COLUMN ecg.inbox_entry.source IS 'Address, as in arrival.source.';
COMMENT ON COLUMN ecg.inbox_entry.state IS 'waiting (it is taken by itself when what it waits for comes) or set aside (somebody must mend it).';
COMMENT ON COLUMN ecg.inbox_entry.code IS 'Kind, for instance unsettled, parts missing, unreadable, link, too large.';
COMMENT ON COLUMN ecg.inbox_entry.reason IS 'What it waits for, or what is wrong and what mends it, in a sentence.';
COMMENT ON COLUMN ecg.inbox_entry.stamp IS 'Hash of its files'' names, sizes, times and places on the disk.';
COMMENT ON COLUMN ecg.inbox_entry.since IS 'Since when it looks so, by this server''s clock.';

-- Comments that say what is kept: names of files can hold a person's.

COMMENT ON TABLE ecg.patient IS 'Grain: one person, known by a pseudonym only. No identifier of a file is stored in a table; names of files and leads are as they came (docs/privacy.md).';
COMMENT ON COLUMN ecg.arrival.source IS 'Address of the main file where it arrived: it can hold a person''s name, and no view shows it. Bytes that Postgres cannot hold are written as \x00 or \udcff, and one that is very long ends in its SHA-256.';

-- Who opened which report and who moved a recording; where a recording came from.

ALTER TABLE ecg.recording ADD COLUMN site text CHECK (site <> '');
COMMENT ON COLUMN ecg.recording.site IS 'Site whose folder of the inbox it first arrived in, where the rules of messages know it; NULL for all others: a folder may be named after a patient.';

CREATE TABLE ecg.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    user_name text NOT NULL CHECK (user_name <> ''),
    action text NOT NULL CHECK (action IN ('opened', 'took', 'moved')),
    recording_id text COLLATE "C" NOT NULL REFERENCES ecg.recording,
    reading_id integer REFERENCES ecg.reading,
    from_patient text,
    to_patient text,
    CHECK ((action IN ('opened', 'took')) = (reading_id IS NOT NULL)),
    CHECK (action = 'moved' OR (from_patient IS NULL AND to_patient IS NULL))
);
CREATE INDEX audit_reading ON ecg.audit (reading_id, audit_id);
CREATE INDEX audit_recording ON ecg.audit (recording_id, audit_id);
COMMENT ON TABLE ecg.audit IS 'Grain: one thing that somebody did with a recording or its report. Rows are only ever added.';
COMMENT ON COLUMN ecg.audit.audit_id IS 'Number of the row, in the order in which things happened.';
COMMENT ON COLUMN ecg.audit.happened_at IS 'When.';
COMMENT ON COLUMN ecg.audit.user_name IS 'Who, as signed in to Airflow or to the machine.';
COMMENT ON COLUMN ecg.audit.action IS 'opened (a report was read), took (its review form was opened by somebody who may answer) or moved (to another patient).';
COMMENT ON COLUMN ecg.audit.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg.audit.reading_id IS 'The reading whose report it was; NULL where the recording was moved.';
COMMENT ON COLUMN ecg.audit.from_patient IS 'Of a moved recording: pseudonym under which it was filed; NULL where under none.';
COMMENT ON COLUMN ecg.audit.to_patient IS 'Of a moved recording: pseudonym under which it is filed since; NULL where under none.';

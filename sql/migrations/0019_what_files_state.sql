-- What a file says of its patient and its device of the ECG, and what is doubtful in the file. No name, id or birth date.

ALTER TABLE ecg.recording
    ADD COLUMN file_lead_names text[],
    ADD COLUMN age_years smallint CHECK (age_years BETWEEN 0 AND 90),
    ADD COLUMN sex text CHECK (sex IN ('female', 'male')),
    ADD COLUMN pacemaker boolean;
COMMENT ON COLUMN ecg.recording.lead_names IS 'Leads under one spelling, in the order of the file''s signals; signal_quality.lead_index counts from 0.';
COMMENT ON COLUMN ecg.recording.file_lead_names IS 'The same leads as the file spells them; NULL where it was stored before this and what stands beside it were kept.';
COMMENT ON COLUMN ecg.recording.age_years IS 'Age at the recording in whole years, 90 for every age above 89; NULL where the file does not say.';
COMMENT ON COLUMN ecg.recording.sex IS 'female or male; NULL where the file does not say.';
COMMENT ON COLUMN ecg.recording.pacemaker IS 'Whether the file says that the patient has a pacemaker; NULL where it does not say.';

CREATE TABLE ecg.recording_doubt (
    recording_id text COLLATE "C" NOT NULL REFERENCES ecg.recording,
    place smallint NOT NULL CHECK (place >= 0),
    code text NOT NULL CHECK (code <> ''),
    text text NOT NULL CHECK (text <> ''),
    PRIMARY KEY (recording_id, place)
);
COMMENT ON TABLE ecg.recording_doubt IS 'Grain: one thing that is doubtful in a recording''s file, though it could be read.';
COMMENT ON COLUMN ecg.recording_doubt.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg.recording_doubt.place IS 'Order in which it is told, from 0.';
COMMENT ON COLUMN ecg.recording_doubt.code IS 'checksum, derived, gain, gap, left_out, length, sampling_rate, start_time or text_left_out.';
COMMENT ON COLUMN ecg.recording_doubt.text IS 'The same in a sentence.';

CREATE TABLE ecg.device_statement (
    recording_id text COLLATE "C" NOT NULL REFERENCES ecg.recording,
    place integer NOT NULL CHECK (place >= 0),
    kind text NOT NULL CHECK (kind IN ('statement', 'measurement', 'filter', 'symptom', 'event')),
    text text NOT NULL CHECK (text <> ''),
    measured_value double precision,
    at_s double precision,
    PRIMARY KEY (recording_id, place),
    CHECK ((kind = 'measurement') = (measured_value IS NOT NULL)),
    CHECK ((kind = 'event') = (at_s IS NOT NULL))
);
COMMENT ON TABLE ecg.device_statement IS 'Grain: one thing that the recording device, or whoever overread there, says of a recording. It is shown beside our findings and never fed to a model.';
COMMENT ON COLUMN ecg.device_statement.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg.device_statement.place IS 'Order in the file, from 0.';
COMMENT ON COLUMN ecg.device_statement.kind IS 'statement, measurement, filter (applied by the device), symptom (given by the person) or event (noted at a time).';
COMMENT ON COLUMN ecg.device_statement.text IS 'What is said, in words of electrocardiography alone; of a measurement its name with its unit, for instance qt_ms.';
COMMENT ON COLUMN ecg.device_statement.measured_value IS 'Of a measurement its value; NULL otherwise.';
COMMENT ON COLUMN ecg.device_statement.at_s IS 'Of an event its place, seconds from the start; NULL otherwise.';

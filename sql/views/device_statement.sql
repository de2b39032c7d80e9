-- device_statement
-- Grain: one thing that the recording device, or whoever overread there, says of a recording.
-- Sources: ecg.device_statement.
-- Caveats: None of it is ours, and no model was fed with it. Texts that could hold a name were left out, which recording_doubt says.
CREATE OR REPLACE VIEW ecg_mart.device_statement AS
SELECT recording_id, place, kind, text, measured_value, at_s, code, unit
FROM ecg.device_statement;

COMMENT ON VIEW ecg_mart.device_statement IS 'Grain: one thing that the recording device, or whoever overread there, says of a recording. None of it is ours, and no model was fed with it. Texts that could hold a name were left out, which recording_doubt says.';
COMMENT ON COLUMN ecg_mart.device_statement.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.device_statement.place IS 'Order in the file, from 0.';
COMMENT ON COLUMN ecg_mart.device_statement.kind IS 'statement, measurement, filter (applied by the device), symptom (given by the person), event (noted at a time), indication (why the ECG was recorded) or drug (that the person takes).';
COMMENT ON COLUMN ecg_mart.device_statement.text IS 'What is said; of a measurement its name with its unit, for instance qt_ms; of a drug its code where the file has no name.';
COMMENT ON COLUMN ecg_mart.device_statement.measured_value IS 'Of a measurement its value, of a drug its dose; NULL otherwise.';
COMMENT ON COLUMN ecg_mart.device_statement.at_s IS 'Of an event its place, seconds from the start; NULL otherwise.';
COMMENT ON COLUMN ecg_mart.device_statement.code IS 'Of a drug its code with its system before it: ATC, SCT (SNOMED CT), ICD10 or SCP (SCP-ECG''s own table); NULL otherwise.';
COMMENT ON COLUMN ecg_mart.device_statement.unit IS 'Of a drug the unit of its dose; NULL otherwise.';

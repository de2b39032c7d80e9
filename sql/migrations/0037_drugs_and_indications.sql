-- What files state of drugs and of why an ECG was recorded.

ALTER TABLE ecg.device_statement
    DROP CONSTRAINT device_statement_kind_check,
    DROP CONSTRAINT device_statement_check,
    ADD COLUMN code text,
    ADD COLUMN unit text,
    ADD CONSTRAINT device_statement_kind_check CHECK (
        kind IN ('statement', 'measurement', 'filter', 'symptom', 'event', 'indication', 'drug')
    ),
    ADD CONSTRAINT device_statement_check CHECK (
        CASE kind
            WHEN 'measurement' THEN measured_value IS NOT NULL
            WHEN 'drug' THEN (measured_value IS NULL) = (unit IS NULL)
            ELSE measured_value IS NULL
        END
    ),
    ADD CONSTRAINT device_statement_coded_check CHECK (kind = 'drug' OR (code IS NULL AND unit IS NULL));
COMMENT ON COLUMN ecg.device_statement.kind IS 'statement, measurement, filter (applied by the device), symptom (given by the person), event (noted at a time), indication (why the ECG was recorded) or drug (that the person takes).';
COMMENT ON COLUMN ecg.device_statement.text IS 'What is said, in words of electrocardiography and names of drugs alone; of a measurement its name with its unit, for instance qt_ms; of a drug its code where the file has no name.';
COMMENT ON COLUMN ecg.device_statement.measured_value IS 'Of a measurement its value, of a drug its dose; NULL otherwise.';
COMMENT ON COLUMN ecg.device_statement.code IS 'Of a drug its code with its system before it: ATC, SCT (SNOMED CT), ICD10 or SCP (SCP-ECG''s own table); NULL otherwise.';
COMMENT ON COLUMN ecg.device_statement.unit IS 'Of a drug the unit of its dose; NULL otherwise.';

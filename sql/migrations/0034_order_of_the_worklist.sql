-- The worklist's order is the site's: which finding comes first, and whether it is new to the patient.

ALTER TABLE ecg.report ADD COLUMN priority integer NOT NULL DEFAULT 0;
ALTER TABLE ecg.report ADD COLUMN priority_kind text COLLATE "C";
ALTER TABLE ecg.report ADD COLUMN priority_new boolean;
UPDATE ecg.report SET priority = urgency;
CREATE INDEX report_priority ON ecg.report (priority, report_id);
COMMENT ON COLUMN ecg.report.priority IS 'Orders the worklist, the highest first: 32768 × (1000 − the place of its first finding in ECG_URGENCY_ORDER, from 0) + urgency; urgency alone where that names none.';
COMMENT ON COLUMN ecg.report.priority_kind IS 'Kind of the finding that gives the report its place; NULL where the order names none of its findings.';
COMMENT ON COLUMN ecg.report.priority_new IS 'True where no earlier recording of the patient has that finding, false where one has; NULL where there is no earlier one.';

-- Names of leads are those of the lead table; any other could be a person's name, and is 'lead 3' from now on. As the file
-- spells them they stand in ecg.recording.file_lead_names, which only the writer reads; NULL still says that a recording was
-- stored before they were kept, and the next scoring fills them in.

DROP VIEW IF EXISTS ecg_mart.recording;

UPDATE ecg.recording
SET lead_names = (
    SELECT array_agg(
        CASE WHEN regexp_replace(name, ' \d+$', '') ~ '^(-?(I{1,3}|aV[RLF]|V[1-6])|V[789]|V[3-7]R|MLI{1,3}|[XYZV]|ECG|MV[12]|MCL[16]|ML5|CM[245]|CC5|[EA]S|AI|lead)$'
        THEN name ELSE 'lead ' || place END
        ORDER BY place
    )
    FROM unnest(lead_names) WITH ORDINALITY AS lead (name, place)
)
WHERE cardinality(lead_names) > 0;

COMMENT ON COLUMN ecg.recording.lead_names IS 'Leads under one spelling, in the order of the file''s signals; those that are not in the lead table by their place, as lead 3.';
COMMENT ON COLUMN ecg.recording.file_lead_names IS 'The same leads as the file spells them, which can hold a person''s name: only the writer reads it.';

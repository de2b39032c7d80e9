-- recording
-- Grain: one recording that could be read.
-- Sources: ecg.recording, ecg.scoring_run, ecg.reading, ecg.report.
-- Caveats: The device, the file's name and its own names of leads are left out: each can identify somebody. start_time is as the file says it.
CREATE OR REPLACE VIEW ecg_mart.recording AS
SELECT
    recording.recording_id,
    recording.patient_pseudonym,
    recording.source_format,
    recording.lead_names,
    cardinality(recording.lead_names) AS n_leads,
    recording.sampling_rate_hz,
    recording.n_samples,
    recording.duration_s,
    recording.start_time,
    recording.start_utc_offset_s,
    recording.synthetic,
    recording.arrived_at,
    date_trunc('month', recording.arrived_at AT TIME ZONE 'UTC')::date AS arrived_month,
    coalesce(scored.n_model_versions, 0) AS n_model_versions,
    scored.newest_model_version,
    recording.age_years,
    recording.sex,
    recording.pacemaker,
    recording.site,
    CASE
        WHEN cardinality(recording.lead_names) >= 10 AND recording.duration_s <= 300 THEN 'resting'
        WHEN recording.duration_s <= 300 THEN 'strip'
        ELSE 'holter'
    END AS kind,
    newest.report_id,
    '/ecg/reports/' || newest.report_id AS report_address
FROM ecg.recording AS recording
LEFT JOIN LATERAL (
    SELECT report.report_id
    FROM ecg.reading AS reading
    JOIN ecg.report AS report ON report.reading_id = reading.reading_id
    WHERE reading.recording_id = recording.recording_id
    ORDER BY reading.reading_id DESC
    LIMIT 1
) AS newest ON true
LEFT JOIN (
    SELECT
        recording_id,
        count(*)::integer AS n_model_versions,
        (array_agg(model_version ORDER BY scoring_run_id DESC))[1] AS newest_model_version
    FROM ecg.scoring_run
    WHERE task = 'beats'
    GROUP BY recording_id
) AS scored ON scored.recording_id = recording.recording_id;

COMMENT ON VIEW ecg_mart.recording IS 'Grain: one recording that could be read. The device, the file''s name and its own names of leads are left out: each can identify somebody. start_time is as the file says it.';
COMMENT ON COLUMN ecg_mart.recording.recording_id IS 'SHA-256 of the content, 64 hex digits: the same content under another name is the same recording.';
COMMENT ON COLUMN ecg_mart.recording.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.recording.source_format IS 'File format, for instance wfdb.';
COMMENT ON COLUMN ecg_mart.recording.lead_names IS 'Leads under one spelling, in the order of the file''s signals; those that are not in the lead table by their place, as lead 3.';
COMMENT ON COLUMN ecg_mart.recording.n_leads IS 'Number of leads.';
COMMENT ON COLUMN ecg_mart.recording.sampling_rate_hz IS 'Samples per second and lead, as recorded.';
COMMENT ON COLUMN ecg_mart.recording.n_samples IS 'Samples per lead.';
COMMENT ON COLUMN ecg_mart.recording.duration_s IS 'Length in seconds.';
COMMENT ON COLUMN ecg_mart.recording.start_time IS 'Wall-clock time of the first sample, without time zone; NULL where the file has none.';
COMMENT ON COLUMN ecg_mart.recording.start_utc_offset_s IS 'Seconds that start_time is ahead of UTC; NULL where the file gives no time zone.';
COMMENT ON COLUMN ecg_mart.recording.synthetic IS 'True where a generator made it: no person was recorded.';
COMMENT ON COLUMN ecg_mart.recording.arrived_at IS 'When its content first arrived.';
COMMENT ON COLUMN ecg_mart.recording.arrived_month IS 'First day of the month (UTC) in which it arrived.';
COMMENT ON COLUMN ecg_mart.recording.n_model_versions IS 'How many model versions have scored it.';
COMMENT ON COLUMN ecg_mart.recording.newest_model_version IS 'The version that scored it last; NULL where none has.';
COMMENT ON COLUMN ecg_mart.recording.age_years IS 'Age at the recording in whole years, 90 for every age above 89; NULL where the file does not say.';
COMMENT ON COLUMN ecg_mart.recording.sex IS 'female or male; NULL where the file does not say.';
COMMENT ON COLUMN ecg_mart.recording.pacemaker IS 'Whether the file says that the patient has a pacemaker; NULL where it does not say.';
COMMENT ON COLUMN ecg_mart.recording.site IS 'First site that sent it (ECG_SITES); NULL where it is of none.';
COMMENT ON COLUMN ecg_mart.recording.kind IS 'resting (ten leads or more, five minutes at most), strip (fewer leads, as short) or holter (longer).';
COMMENT ON COLUMN ecg_mart.recording.report_id IS 'Number of its newest report; NULL where there is none.';
COMMENT ON COLUMN ecg_mart.recording.report_address IS 'Where the newest report is read, below the address of the UI; NULL where there is none.';

-- Which findings that ask for attention stand, and where are their reports?
-- Urgent ones first, after readers' answers; with their state. Grain: finding. Reads the recording grain.
SELECT
    found.urgency, found.finding, found.sentence, found.mean_probability, found.n_uncertain, found.state,
    recording.recording_id, recording.patient_pseudonym, recording.age_years, recording.sex, recording.site,
    recording.report_address
FROM ecg_mart.finding_final AS found
JOIN ecg_mart.recording USING (recording_id)
WHERE found.is_newest AND found.urgency IN ('urgent', 'notable')
ORDER BY found.urgency DESC, recording.arrived_at DESC, found.finding_index;

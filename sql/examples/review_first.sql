-- Which recordings should be reviewed first?
-- The newest scores of recordings that nobody has signed: most urgent findings first, then the longest waiting.
-- Grain: recording. Reads the recording grain.
SELECT
    score.recording_id,
    score.patient_pseudonym,
    score.model_version,
    count(*) FILTER (WHERE finding.urgency = 'urgent') AS n_urgent,
    count(*) FILTER (WHERE finding.urgency = 'notable') AS n_notable,
    array_agg(finding.finding ORDER BY finding.finding) FILTER (WHERE finding.urgency = 'urgent') AS urgent_findings,
    score.ectopic_share,
    score.analysable_share,
    score.arrived_at
FROM ecg_mart.score
JOIN ecg_mart.reading USING (scoring_run_id)
JOIN ecg_mart.finding USING (reading_id)
WHERE
    reading.is_newest
    AND NOT EXISTS (
        SELECT FROM ecg_mart.review WHERE review.recording_id = score.recording_id AND review.signed
    )
GROUP BY
    score.recording_id, score.patient_pseudonym, score.model_version, score.ectopic_share, score.analysable_share,
    score.arrived_at
ORDER BY n_urgent DESC, n_notable DESC, score.arrived_at, score.recording_id
LIMIT 100;

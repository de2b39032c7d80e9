-- Which leads are poor, by file format?
-- Grain: format × lead. Reads the recording grain, by lead.
SELECT
    recording.source_format,
    quality.lead_name,
    count(*) AS n_recordings,
    avg(quality.analysable_share) AS mean_analysable_share,
    count(*) FILTER (WHERE quality.analysable_share < 0.9) AS n_poor
FROM ecg_mart.lead_quality AS quality
JOIN ecg_mart.recording USING (recording_id)
WHERE quality.is_newest
GROUP BY recording.source_format, quality.lead_name
ORDER BY mean_analysable_share, quality.lead_name;

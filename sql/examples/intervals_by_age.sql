-- How do PR, QRS and QTc differ by age and sex?
-- Medians of the recordings' medians, by decades. Grain: decade × sex (NULL where not known). Reads the recording grain.
SELECT
    recording.age_years / 10 * 10 AS from_years,
    recording.sex,
    count(*) AS n_recordings,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY score.median_pr_ms) AS median_pr_ms,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY score.median_qrs_duration_ms) AS median_qrs_duration_ms,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY score.median_qtc_fridericia_ms) AS median_qtc_fridericia_ms
FROM ecg_mart.score
JOIN ecg_mart.recording USING (recording_id)
WHERE score.is_newest
GROUP BY from_years, recording.sex
ORDER BY from_years, recording.sex;

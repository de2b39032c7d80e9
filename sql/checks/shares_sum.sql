-- The shares that a method gives the segments of a beat sum to 1.
-- Severity: severe
SELECT
    attribution.scoring_run_id, attribution.beat_index, attribution.method,
    attribution.before_qrs_share + attribution.qrs_share + attribution.after_qrs_share AS share_sum
FROM ecg.attribution AS attribution
JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND abs(attribution.before_qrs_share + attribution.qrs_share + attribution.after_qrs_share - 1) > 0.001

-- Every attribution belongs to an abnormal, analysable beat of that class.
-- Severity: severe
SELECT attribution.scoring_run_id, attribution.beat_index, attribution.method, attribution.class
FROM ecg.attribution AS attribution
LEFT JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month)
LEFT JOIN ecg.beat AS beat USING (scoring_run_id, beat_index, arrived_month)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND (run.scoring_run_id IS NULL OR beat.class IS DISTINCT FROM attribution.class OR NOT beat.analysable)

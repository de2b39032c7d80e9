-- Every Shapley value belongs to an abnormal, analysable beat of that class.
-- Severity: severe
SELECT shapley.scoring_run_id, shapley.beat_index, shapley.class
FROM ecg.shapley AS shapley
LEFT JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month)
LEFT JOIN ecg.beat AS beat USING (scoring_run_id, beat_index, arrived_month)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND (run.scoring_run_id IS NULL OR beat.class IS DISTINCT FROM shapley.class OR NOT beat.analysable)

-- The probabilities of a beat sum to 1.
-- Severity: severe
SELECT
    beat.scoring_run_id, beat.beat_index,
    beat.probability_n + beat.probability_s + beat.probability_v + beat.probability_f + beat.probability_q AS probability_sum
FROM ecg.beat AS beat
JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND abs(beat.probability_n + beat.probability_s + beat.probability_v + beat.probability_f + beat.probability_q - 1) > 0.001

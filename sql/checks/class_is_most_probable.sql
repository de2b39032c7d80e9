-- The class of a beat is its most probable one.
-- Severity: severe
SELECT beat.scoring_run_id, beat.beat_index, beat.class
FROM ecg.beat AS beat
JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND CASE beat.class
        WHEN 'N' THEN beat.probability_n
        WHEN 'S' THEN beat.probability_s
        WHEN 'V' THEN beat.probability_v
        WHEN 'F' THEN beat.probability_f
        ELSE beat.probability_q
    END < greatest(beat.probability_n, beat.probability_s, beat.probability_v, beat.probability_f, beat.probability_q)

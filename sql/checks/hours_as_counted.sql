-- The hours of a scoring run add up to its summary.
-- Severity: severe
SELECT run.scoring_run_id, run.n_beats, coalesce(found.n_beats, 0) AS n_beats_by_hour
FROM ecg.scoring_run AS run
LEFT JOIN LATERAL (
    SELECT
        sum(n_beats) AS n_beats, sum(n_class_n) AS n, sum(n_class_s) AS s, sum(n_class_v) AS v,
        sum(n_class_f) AS f, sum(n_class_q) AS q
    FROM ecg.hourly AS hourly WHERE hourly.scoring_run_id = run.scoring_run_id
) AS found ON true
WHERE run.task = 'beats'
    AND (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND (
        coalesce(found.n_beats, 0), coalesce(found.n, 0), coalesce(found.s, 0), coalesce(found.v, 0),
        coalesce(found.f, 0), coalesce(found.q, 0)
    ) <> (run.n_beats, run.n_class_n, run.n_class_s, run.n_class_v, run.n_class_f, run.n_class_q)

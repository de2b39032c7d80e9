-- A scoring run has as many beats as its summary says, unless retention dropped them.
-- Severity: severe
SELECT run.scoring_run_id, run.n_beats, coalesce(found.n_beats, 0) AS n_rows
FROM ecg.scoring_run AS run
LEFT JOIN LATERAL (
    SELECT count(*) AS n_beats FROM ecg.beat AS beat
    WHERE beat.scoring_run_id = run.scoring_run_id AND beat.arrived_month = run.arrived_month
) AS found ON true
WHERE run.task = 'beats'
    AND (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND coalesce(found.n_beats, 0) <> run.n_beats
    AND run.arrived_month NOT IN (SELECT arrived_month FROM ecg.dropped_month)

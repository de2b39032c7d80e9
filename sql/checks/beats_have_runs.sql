-- Every beat belongs to a scoring run; looked at when everything is, since a stray beat has no time.
-- Severity: severe
SELECT found.scoring_run_id, found.arrived_month, found.n_beats
FROM (
    SELECT beat.scoring_run_id, beat.arrived_month, count(*) AS n_beats
    FROM ecg.beat AS beat
    WHERE %(since)s::timestamptz IS NULL
    GROUP BY beat.scoring_run_id, beat.arrived_month
) AS found
WHERE NOT EXISTS (
    SELECT FROM ecg.scoring_run AS run
    WHERE run.scoring_run_id = found.scoring_run_id AND run.arrived_month = found.arrived_month
)

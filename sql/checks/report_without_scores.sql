-- A report has the beats that it tells of behind it, unless retention dropped them.
-- Severity: severe
SELECT report.report_id, run.scoring_run_id
FROM ecg.report AS report
JOIN ecg.reading_run AS part ON part.reading_id = report.reading_id AND part.task = 'beats'
JOIN ecg.scoring_run AS run ON run.scoring_run_id = part.scoring_run_id
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND run.n_beats > 0
    AND NOT EXISTS (
        SELECT FROM ecg.beat AS beat
        WHERE beat.scoring_run_id = run.scoring_run_id AND beat.arrived_month = run.arrived_month
    )
    AND run.arrived_month NOT IN (SELECT arrived_month FROM ecg.dropped_month)

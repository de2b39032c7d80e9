-- A scored recording that came through an inbox has a report.
-- Severity: warning
SELECT run.scoring_run_id, run.recording_id
FROM ecg.scoring_run AS run
JOIN ecg.ingest_ledger AS ledger USING (recording_id)
WHERE run.task = 'beats'
    AND (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND NOT EXISTS (
        SELECT FROM ecg.reading_run AS part
        JOIN ecg.report AS report ON report.reading_id = part.reading_id
        WHERE part.scoring_run_id = run.scoring_run_id
    )

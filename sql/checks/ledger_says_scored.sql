-- What the ledger calls scored has scores, and what has scores is called scored.
-- Severity: severe
SELECT ledger.recording_id, ledger.state, NULL::integer AS scoring_run_id
FROM ecg.ingest_ledger AS ledger
WHERE ledger.state = 'scored'
    AND (%(since)s::timestamptz IS NULL OR ledger.done_at >= %(since)s)
    AND NOT EXISTS (SELECT FROM ecg.scoring_run AS run WHERE run.recording_id = ledger.recording_id)
UNION ALL
SELECT ledger.recording_id, ledger.state, run.scoring_run_id
FROM ecg.scoring_run AS run
JOIN ecg.ingest_ledger AS ledger USING (recording_id)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND ledger.state <> 'scored'

-- No claim has been abandoned for more than a day: if scoring runs, it takes them over.
-- Severity: warning
SELECT ledger.recording_id, ledger.attempts, ledger.lease_until
FROM ecg.ingest_ledger AS ledger
WHERE ledger.state = 'claimed' AND ledger.lease_until < now() - interval '1 day'

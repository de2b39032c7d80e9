-- What was set aside, why, and where did it arrive?
-- Newest first. Grain: content × source address.
SELECT
    ledger.done_at AS set_aside_at,
    ledger.code,
    ledger.reason,
    arrival.source,
    ledger.size_bytes,
    ledger.attempts,
    ledger.recording_id
FROM ecg.ingest_ledger AS ledger
JOIN ecg.arrival USING (recording_id)
WHERE ledger.state = 'set aside'
ORDER BY ledger.done_at DESC, arrival.source;

-- What was set aside, and for which faults?
-- Where a file arrived and what exactly is wrong with it stand in ecg.ingest_ledger and ecg.arrival, for operations.
-- Grain: kind of fault. Reads the recording grain.
SELECT
    code,
    count(*) AS n_contents,
    sum(n_sources) AS n_files,
    sum(size_bytes) AS size_bytes,
    min(done_at) AS first_at,
    max(done_at) AS last_at
FROM ecg_mart.ingest
WHERE state = 'set aside'
GROUP BY code
ORDER BY n_contents DESC, code;

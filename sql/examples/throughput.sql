-- How much was scored each day, how long did it wait, and how much failed?
-- Grain: day (UTC) on which recordings were done. Reads the recording grain.
SELECT
    done_on,
    count(*) FILTER (WHERE state = 'scored') AS n_scored,
    count(*) FILTER (WHERE state = 'set aside') AS n_set_aside,
    count(*) FILTER (WHERE state = 'set aside')::double precision / count(*) AS set_aside_share,
    sum(duration_s) / 3600 AS recorded_h,
    sum(n_beats) AS n_beats,
    sum(n_beats) / nullif(sum(scoring_s), 0) AS beats_per_second,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY waited_s) AS median_waited_s,
    max(attempts) AS max_attempts
FROM ecg_mart.ingest
WHERE done_on IS NOT NULL
GROUP BY done_on
ORDER BY done_on DESC;

-- How often do readers disagree with each kind of finding?
-- The newest answer to each finding counts. Grain: kind of finding. Reads the recording grain.
SELECT
    finding,
    count(*) AS n_findings,
    count(disputed) AS n_judged,
    count(*) FILTER (WHERE disputed) AS n_disputed,
    count(*) FILTER (WHERE disputed)::double precision / nullif(count(disputed), 0) AS disputed_share
FROM ecg_mart.finding
WHERE is_newest
GROUP BY finding
ORDER BY n_judged DESC, finding;

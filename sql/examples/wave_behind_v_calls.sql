-- Which wave drives V calls, by model version?
-- Mean share of the attribution that lies in each segment of the wave; the method is part of the answer.
-- Grain: model version × method × segment. Reads the attributions of all V beats.
SELECT
    model_version,
    method,
    segment,
    count(share) AS n_beats,
    avg(share) AS mean_share,
    rank() OVER (PARTITION BY model_version, method ORDER BY avg(share) DESC NULLS LAST) AS place
FROM ecg_mart.attribution_segment
WHERE class = 'V'
GROUP BY model_version, method, segment
ORDER BY model_version, method, place, segment;

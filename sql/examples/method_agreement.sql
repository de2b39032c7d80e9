-- How well do the explanation methods agree on where the reason lies?
-- Over the same beats: correlation and mean difference of the share that each method gives the QRS.
-- Grain: model version × class × pair of methods. Reads the attributions of all abnormal beats.
SELECT
    one.model_version,
    one.class,
    one.method AS one_method,
    other.method AS other_method,
    count(*) AS n_beats,
    corr(one.share, other.share) AS qrs_share_correlation,
    avg(abs(one.share - other.share)) AS mean_absolute_difference
FROM ecg_mart.attribution_segment AS one
JOIN ecg_mart.attribution_segment AS other
    ON other.scoring_run_id = one.scoring_run_id
    AND other.beat_index = one.beat_index
    AND other.arrived_month = one.arrived_month
    AND other.method > one.method
WHERE one.segment = 'qrs' AND other.segment = 'qrs'
GROUP BY one.model_version, one.class, one.method, other.method
ORDER BY one.model_version, one.class, one.method, other.method;

-- How well do the explanation methods agree on where the reason lies?
-- Over the same abnormal beats: how much of the attribution two methods put into the same segments of the wave, and how
-- often they put most into the same one. Grain: model version × class × pair of methods. Reads the recording grain.
SELECT
    model_version,
    class,
    one_method,
    other_method,
    sum(n_beats) AS n_beats,
    sum(n_beats * mean_overlap_share) / sum(n_beats) AS mean_overlap_share,
    sum(n_beats * same_segment_share) / sum(n_beats) AS same_segment_share
FROM ecg_mart.method_agreement
GROUP BY model_version, class, one_method, other_method
ORDER BY model_version, class, one_method, other_method;

-- How far have inputs and scores drifted from the training data?
-- The newest day of each quantity, beside the day before it. Grain: model version × quantity.
-- Reads the drift grain.
SELECT DISTINCT ON (model_version, quantity)
    model_version,
    quantity,
    scored_on,
    n_beats,
    mean_value,
    reference_mean_value,
    population_stability_index,
    lead(population_stability_index) OVER newest_first AS index_the_day_before,
    verdict,
    reference_source
FROM ecg_mart.drift
WINDOW newest_first AS (PARTITION BY model_version, quantity ORDER BY scored_on DESC)
ORDER BY model_version, quantity, scored_on DESC;

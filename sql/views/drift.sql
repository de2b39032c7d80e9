-- drift
-- Grain: one model version, one day of scoring and one quantity.
-- Sources: ecg.drift, ecg.drift_reference.
-- Caveats: Training data are seldom like a ward's day: look for change from day to day, not for a bound that is crossed. Few beats move the index by chance.
CREATE OR REPLACE VIEW ecg_mart.drift AS
SELECT
    drift.model_version,
    drift.scored_on,
    drift.quantity,
    drift.n_beats,
    drift.mean AS mean_value,
    reference.mean AS reference_mean_value,
    drift.population_stability_index,
    CASE
        WHEN drift.population_stability_index < 0.1 THEN 'alike'
        WHEN drift.population_stability_index <= 0.25 THEN 'moved'
        ELSE 'far off'
    END AS verdict,
    reference.bins,
    drift.shares,
    reference.shares AS reference_shares,
    reference.source AS reference_source
FROM ecg.drift AS drift
JOIN ecg.drift_reference AS reference USING (model_version, quantity);

COMMENT ON VIEW ecg_mart.drift IS 'Grain: one model version, one day of scoring and one quantity. Training data are seldom like a ward''s day: look for change from day to day, not for a bound that is crossed. Few beats move the index by chance.';
COMMENT ON COLUMN ecg_mart.drift.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.drift.scored_on IS 'Day (UTC) on which the recordings were scored.';
COMMENT ON COLUMN ecg_mart.drift.quantity IS 'class, class_probability, deviation_z (scores) or rr_next_to_rr_prev (input; half octaves: 2 log2 of next over previous RR interval).';
COMMENT ON COLUMN ecg_mart.drift.n_beats IS 'Analysable beats of that day for which it is known.';
COMMENT ON COLUMN ecg_mart.drift.mean_value IS 'Mean, in the quantity''s unit; NULL where it has none.';
COMMENT ON COLUMN ecg_mart.drift.reference_mean_value IS 'Mean over the training data; NULL where it is not known.';
COMMENT ON COLUMN ecg_mart.drift.population_stability_index IS 'Distance from the training data, 0 and up: below 0.1 alike, above 0.25 far off.';
COMMENT ON COLUMN ecg_mart.drift.verdict IS 'alike, moved or far off, by these bounds.';
COMMENT ON COLUMN ecg_mart.drift.bins IS 'The classes, or the lower bound of each bin.';
COMMENT ON COLUMN ecg_mart.drift.shares IS 'Share of the day''s beats in each bin.';
COMMENT ON COLUMN ecg_mart.drift.reference_shares IS 'Share of the training beats in each bin.';
COMMENT ON COLUMN ecg_mart.drift.reference_source IS 'Where the reference comes from, in words.';

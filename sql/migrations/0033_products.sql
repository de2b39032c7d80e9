-- Reasons of a resting ECG over the products of lead groups and waves, which are estimated: with a standard error.
ALTER TABLE ecg.label_attribution
    DROP CONSTRAINT label_attribution_game_check,
    ADD CONSTRAINT label_attribution_game_check CHECK (game IN ('leads', 'waves', 'products')),
    ADD COLUMN standard_error double precision CHECK (standard_error >= 0);
COMMENT ON TABLE ecg.label_attribution IS 'Grain: one player of one game for one label that a scoring run called. Shapley values against the mean normal median beat.';
COMMENT ON COLUMN ecg.label_attribution.game IS 'leads (four groups of leads), waves (P wave, QRS, ST, T wave) or products (a wave in a group of leads).';
COMMENT ON COLUMN ecg.label_attribution.standard_error IS 'Standard error of value, where it was estimated; NULL where it is exact.';

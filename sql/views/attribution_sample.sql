-- attribution_sample
-- Grain: one chosen beat and one method: the attribution of each sample of the wave.
-- Sources: ecg.attribution_sample, ecg.chosen_beat, ecg.beat, ecg.scoring_run.
-- Caveats: Only for the beats that the report shows. All arrays of a row have the same length and are aligned; the R peak is their element 101.
CREATE OR REPLACE VIEW ecg_mart.attribution_sample AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    run.model_version,
    sample.arrived_month,
    sample.beat_index,
    beat.class,
    chosen.chosen_reason,
    sample.method,
    250.0::double precision AS sampling_rate_hz,
    sample.sample_values,
    sample.context_values,
    chosen.waveform_mv,
    chosen.counterpart_mv,
    chosen.template_mv
FROM ecg.attribution_sample AS sample
JOIN ecg.chosen_beat AS chosen USING (scoring_run_id, beat_index, arrived_month)
JOIN ecg.beat AS beat USING (scoring_run_id, beat_index, arrived_month)
JOIN ecg.scoring_run AS run ON run.scoring_run_id = sample.scoring_run_id;

COMMENT ON VIEW ecg_mart.attribution_sample IS 'Grain: one chosen beat and one method: the attribution of each sample of the wave. Only for the beats that the report shows. All arrays of a row have the same length and are aligned; the R peak is their element 101.';
COMMENT ON COLUMN ecg_mart.attribution_sample.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.attribution_sample.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.attribution_sample.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.attribution_sample.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.attribution_sample.beat_index IS 'The beat, as in ecg_mart.beat.';
COMMENT ON COLUMN ecg_mart.attribution_sample.class IS 'The class that is explained: the beat''s own.';
COMMENT ON COLUMN ecg_mart.attribution_sample.chosen_reason IS 'Why it was chosen: most typical, least certain or most deviating of its class.';
COMMENT ON COLUMN ecg_mart.attribution_sample.method IS 'The attribution method, for instance shap or gradcam. One with a sign is in log-odds, the others have no unit and go from 0 to 1.';
COMMENT ON COLUMN ecg_mart.attribution_sample.sampling_rate_hz IS 'Samples per second of the arrays.';
COMMENT ON COLUMN ecg_mart.attribution_sample.sample_values IS 'One attribution per sample, in the method''s unit.';
COMMENT ON COLUMN ecg_mart.attribution_sample.context_values IS 'Log-odds that each rhythm feature added, by its name; NULL for methods that say nothing of rhythm.';
COMMENT ON COLUMN ecg_mart.attribution_sample.waveform_mv IS 'The beat after cleaning, millivolts.';
COMMENT ON COLUMN ecg_mart.attribution_sample.counterpart_mv IS 'The autoencoder''s normal counterpart, millivolts.';
COMMENT ON COLUMN ecg_mart.attribution_sample.template_mv IS 'The recording''s dominant beat, millivolts.';

-- attribution_segment
-- Grain: one abnormal, analysable beat, one method and one segment of the wave.
-- Sources: ecg.attribution, ecg.scoring_run.
-- Caveats: An attribution shows what the model used, not what is wrong with the heart. Segments are fixed stretches around the R peak. Of a beat and method the shares sum to 1. Normal beats have no rows.
CREATE OR REPLACE VIEW ecg_mart.attribution_segment AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    run.model_version,
    attribution.arrived_month,
    attribution.beat_index,
    attribution.class,
    attribution.method,
    part.segment,
    part.segment_start_ms,
    part.segment_end_ms,
    part.share
FROM ecg.attribution AS attribution
JOIN ecg.scoring_run AS run ON run.scoring_run_id = attribution.scoring_run_id
CROSS JOIN LATERAL (
    VALUES
        ('before_qrs', -400, -60, attribution.before_qrs_share),
        ('qrs', -60, 100, attribution.qrs_share),
        ('after_qrs', 100, 624, attribution.after_qrs_share)
) AS part (segment, segment_start_ms, segment_end_ms, share);

COMMENT ON VIEW ecg_mart.attribution_segment IS 'Grain: one abnormal, analysable beat, one method and one segment of the wave. An attribution shows what the model used, not what is wrong with the heart. Segments are fixed stretches around the R peak. Of a beat and method the shares sum to 1. Normal beats have no rows.';
COMMENT ON COLUMN ecg_mart.attribution_segment.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.attribution_segment.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.attribution_segment.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.attribution_segment.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.attribution_segment.beat_index IS 'The beat, as in ecg_mart.beat.';
COMMENT ON COLUMN ecg_mart.attribution_segment.class IS 'The class that is explained: the beat''s own.';
COMMENT ON COLUMN ecg_mart.attribution_segment.method IS 'gradcam or saliency.';
COMMENT ON COLUMN ecg_mart.attribution_segment.segment IS 'before_qrs, qrs or after_qrs.';
COMMENT ON COLUMN ecg_mart.attribution_segment.segment_start_ms IS 'Begin of the segment, milliseconds from the R peak.';
COMMENT ON COLUMN ecg_mart.attribution_segment.segment_end_ms IS 'End of the segment, milliseconds from the R peak.';
COMMENT ON COLUMN ecg_mart.attribution_segment.share IS 'Share of the beat''s absolute attribution that lies in the segment, 0 to 1; NULL where the method gives nothing.';

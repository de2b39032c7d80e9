-- attribution_segment
-- Grain: one abnormal, analysable beat, one method and one segment of the wave.
-- Sources: ecg.attribution, ecg.shapley, ecg.scoring_run.
-- Caveats: An attribution shows what the model used, not what is wrong with the heart. Of a beat and method the shares sum to 1. Normal beats have no rows. Segments of gradcam and saliency are fixed stretches around the R peak; those of shapley are clinical players: the waves as delineated, and the intervals.
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
    part.share,
    NULL::real AS log_odds
FROM ecg.attribution AS attribution
JOIN ecg.scoring_run AS run ON run.scoring_run_id = attribution.scoring_run_id
CROSS JOIN LATERAL (
    VALUES
        ('before_qrs', -400, -60, attribution.before_qrs_share),
        ('qrs', -60, 100, attribution.qrs_share),
        ('after_qrs', 100, 624, attribution.after_qrs_share)
) AS part (segment, segment_start_ms, segment_end_ms, share)
UNION ALL
SELECT
    run.scoring_run_id,
    run.recording_id,
    run.model_version,
    shapley.arrived_month,
    shapley.beat_index,
    shapley.class,
    'shapley',
    player.segment,
    NULL,
    NULL,
    (abs(player.log_odds) / nullif(size.of_all, 0))::real,
    player.log_odds
FROM ecg.shapley AS shapley
JOIN ecg.scoring_run AS run ON run.scoring_run_id = shapley.scoring_run_id
CROSS JOIN LATERAL (
    VALUES (
        abs(shapley.previous_rr::double precision) + abs(shapley.p_wave) + abs(shapley.pq_segment) + abs(shapley.qrs)
        + abs(shapley.st_segment) + abs(shapley.t_wave) + abs(shapley.following_rr)
    )
) AS size (of_all)
CROSS JOIN LATERAL (
    VALUES
        ('previous_rr', shapley.previous_rr),
        ('p_wave', shapley.p_wave),
        ('pq_segment', shapley.pq_segment),
        ('qrs', shapley.qrs),
        ('st_segment', shapley.st_segment),
        ('t_wave', shapley.t_wave),
        ('following_rr', shapley.following_rr)
) AS player (segment, log_odds);

COMMENT ON VIEW ecg_mart.attribution_segment IS 'Grain: one abnormal, analysable beat, one method and one segment of the wave. An attribution shows what the model used, not what is wrong with the heart. Of a beat and method the shares sum to 1. Normal beats have no rows. Segments of gradcam and saliency are fixed stretches around the R peak; those of shapley are clinical players: the waves as delineated, and the intervals.';
COMMENT ON COLUMN ecg_mart.attribution_segment.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.attribution_segment.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.attribution_segment.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.attribution_segment.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.attribution_segment.beat_index IS 'The beat, as in ecg_mart.beat.';
COMMENT ON COLUMN ecg_mart.attribution_segment.class IS 'The class that is explained: the beat''s own.';
COMMENT ON COLUMN ecg_mart.attribution_segment.method IS 'gradcam, saliency, or shapley (exact Shapley values).';
COMMENT ON COLUMN ecg_mart.attribution_segment.segment IS 'before_qrs, qrs or after_qrs; of shapley previous_rr, p_wave, pq_segment, qrs, st_segment, t_wave or following_rr.';
COMMENT ON COLUMN ecg_mart.attribution_segment.segment_start_ms IS 'Begin of the segment, milliseconds from the R peak; NULL of shapley, whose segments differ from beat to beat.';
COMMENT ON COLUMN ecg_mart.attribution_segment.segment_end_ms IS 'End of the segment, milliseconds from the R peak; NULL of shapley.';
COMMENT ON COLUMN ecg_mart.attribution_segment.share IS 'Share of the beat''s absolute attribution that lies in the segment, 0 to 1; NULL where the method gives nothing.';
COMMENT ON COLUMN ecg_mart.attribution_segment.log_odds IS 'Log-odds that the segment added to the class against this patient''s normal beat, signed; NULL for methods that do not say.';

-- method_agreement
-- Grain: one class and one pair of methods in one scoring run.
-- Sources: ecg.method_agreement, ecg.scoring_run.
-- Caveats: Over the abnormal, analysable beats that both methods explain. Pool runs by n_beats. Methods that agree may still both be wrong.
CREATE OR REPLACE VIEW ecg_mart.method_agreement AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    run.model_version,
    run.arrived_month,
    agreement.class,
    agreement.one_method,
    agreement.other_method,
    agreement.n_beats,
    agreement.mean_overlap_share,
    agreement.same_segment_share,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = run.task) AS is_newest
FROM ecg.method_agreement AS agreement
JOIN ecg.scoring_run AS run ON run.scoring_run_id = agreement.scoring_run_id;

COMMENT ON VIEW ecg_mart.method_agreement IS 'Grain: one class and one pair of methods in one scoring run. Over the abnormal, analysable beats that both methods explain. Pool runs by n_beats. Methods that agree may still both be wrong.';
COMMENT ON COLUMN ecg_mart.method_agreement.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.method_agreement.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.method_agreement.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.method_agreement.arrived_month IS 'First day of the month (UTC) in which the recording arrived.';
COMMENT ON COLUMN ecg_mart.method_agreement.class IS 'Class of the beats: S, V, F or Q.';
COMMENT ON COLUMN ecg_mart.method_agreement.one_method IS 'The method that comes first in the alphabet.';
COMMENT ON COLUMN ecg_mart.method_agreement.other_method IS 'The other method.';
COMMENT ON COLUMN ecg_mart.method_agreement.n_beats IS 'Beats of that class that both explain.';
COMMENT ON COLUMN ecg_mart.method_agreement.mean_overlap_share IS 'Mean over the beats of how much of the attribution both put into the same segments: 0 nothing, 1 all.';
COMMENT ON COLUMN ecg_mart.method_agreement.same_segment_share IS 'Share of the beats for which both put most into the same segment, 0 to 1.';
COMMENT ON COLUMN ecg_mart.method_agreement.is_newest IS 'True for the newest scoring run of the recording by its task: without it a recording that was scored again counts twice.';

-- How did each patient's rate and burdens change from recording to recording?
-- What stands now, in the order in which it was recorded; a recording of nobody known stands alone. Grain: recording.
-- Reads the recording grain.
SELECT
    patient_pseudonym,
    recording_id,
    start_time,
    mean_heart_rate_bpm,
    ventricular_share,
    ventricular_share - lag(ventricular_share) OVER over_time AS ventricular_share_more,
    fibrillation_share,
    fibrillation_share - lag(fibrillation_share) OVER over_time AS fibrillation_share_more
FROM ecg_mart.score_final
WHERE is_newest
WINDOW over_time AS (PARTITION BY coalesce(patient_pseudonym, recording_id) ORDER BY start_time, holds_since, recording_id)
ORDER BY patient_pseudonym, start_time, holds_since, recording_id;

-- What was the burden of each recording by day and by night?
-- By the recorder's clock; a night belongs to the date on which it began. Grain: recording × date × day or night.
-- Reads the hourly grain.
SELECT recording_id, patient_pseudonym, began_on, part, covered_s / 3600 AS recorded_h, n_beats_analysable,
    ventricular_share, supraventricular_share, mean_heart_rate_bpm
FROM ecg_mart.daily
WHERE is_newest
ORDER BY recording_id, began_on, part;

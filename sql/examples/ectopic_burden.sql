-- What is the ectopic burden of each patient, by hour of the day?
-- Share of S, V and F among the analysable beats, as the newest model version says; the highest first.
-- Grain: patient × hour of the day (NULL where the file gives no time); where the patient is not known, recording ×
-- hour of the day, since unknown patients are not one patient. Reads the hourly grain.
SELECT
    hourly.patient_pseudonym,
    CASE WHEN hourly.patient_pseudonym IS NULL THEN hourly.recording_id END AS recording_of_unknown_patient,
    hourly.hour_of_day,
    count(DISTINCT hourly.recording_id) AS n_recordings,
    sum(hourly.covered_s) / 3600 AS recorded_h,
    sum(hourly.n_beats_analysable) AS n_beats_analysable,
    sum(hourly.n_class_s) AS n_class_s,
    sum(hourly.n_class_v) AS n_class_v,
    sum(hourly.n_class_f) AS n_class_f,
    sum(hourly.n_class_s + hourly.n_class_v + hourly.n_class_f)::double precision
    / nullif(sum(hourly.n_beats_analysable), 0) AS ectopic_share
FROM ecg_mart.hourly
JOIN ecg_mart.score USING (scoring_run_id)
WHERE score.is_newest
GROUP BY hourly.patient_pseudonym, recording_of_unknown_patient, hourly.hour_of_day
ORDER BY ectopic_share DESC NULLS LAST, hourly.patient_pseudonym, recording_of_unknown_patient, hourly.hour_of_day;

-- How much of their time do patients spend in what is, or may be, atrial fibrillation?
-- What stands after readers' answers; weighed by length. Grain: patient, or recording where the patient is not known.
-- Reads the recording grain.
SELECT
    patient_pseudonym,
    CASE WHEN patient_pseudonym IS NULL THEN recording_id END AS recording_of_unknown_patient,
    count(*) AS n_recordings,
    sum(duration_s) / 3600 AS recorded_h,
    sum(fibrillation_share * duration_s) / sum(duration_s) AS fibrillation_share
FROM ecg_mart.score_final
WHERE is_newest
GROUP BY patient_pseudonym, recording_of_unknown_patient
ORDER BY fibrillation_share DESC, patient_pseudonym, recording_of_unknown_patient;

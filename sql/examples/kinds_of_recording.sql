-- How many recordings of each kind were there each month, and how long are they?
-- Grain: month of arrival (UTC) × kind. Reads the recording grain.
SELECT
    arrived_month,
    kind,
    count(*) AS n_recordings,
    count(DISTINCT patient_pseudonym) AS n_known_patients,
    sum(duration_s) / 3600 AS recorded_h,
    count(*) FILTER (WHERE synthetic) AS n_synthetic
FROM ecg_mart.recording
GROUP BY arrived_month, kind
ORDER BY arrived_month DESC, kind;

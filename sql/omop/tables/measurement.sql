SELECT
    measured.measurement_id,
    recording.person_id,
    measured.concept_id AS measurement_concept_id,
    recording.starts_at::date AS measurement_date,
    recording.starts_at AS measurement_datetime,
    32880 AS measurement_type_concept_id,
    measured.value AS value_as_number,
    measured.unit_concept_id,
    recording.number AS visit_occurrence_id,
    measured.concept_code AS measurement_source_value,
    measured.unit AS unit_source_value
FROM omop_measured AS measured
JOIN omop_recording AS recording ON recording.number = measured.number
ORDER BY measured.measurement_id

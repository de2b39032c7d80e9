-- One recording, one visit: where it was made is not known.
SELECT
    number AS visit_occurrence_id,
    person_id,
    0 AS visit_concept_id,
    starts_at::date AS visit_start_date,
    starts_at AS visit_start_datetime,
    ends_at::date AS visit_end_date,
    ends_at AS visit_end_datetime,
    32880 AS visit_type_concept_id,
    kind AS visit_source_value,
    lag(number) OVER (PARTITION BY person_id ORDER BY number) AS preceding_visit_occurrence_id
FROM omop_recording
ORDER BY number

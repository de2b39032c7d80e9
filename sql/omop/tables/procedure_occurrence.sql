SELECT
    number AS procedure_occurrence_id,
    person_id,
    4163951 AS procedure_concept_id,
    starts_at::date AS procedure_date,
    starts_at AS procedure_datetime,
    ends_at::date AS procedure_end_date,
    ends_at AS procedure_end_datetime,
    32880 AS procedure_type_concept_id,
    number AS visit_occurrence_id,
    kind AS procedure_source_value
FROM omop_recording
ORDER BY number

-- An ECG's impression, said by software: what was found is the value. A diagnosis it is not, so no condition.
SELECT
    found.observation_id,
    recording.person_id,
    coalesce((SELECT concept_id FROM omop_concept WHERE vocabulary_id = 'LOINC' AND concept_code = impression.concept_code), 0) AS observation_concept_id,
    recording.starts_at::date AS observation_date,
    recording.starts_at AS observation_datetime,
    32880 AS observation_type_concept_id,
    left(found.finding, 60) AS value_as_string,
    found.concept_id AS value_as_concept_id,
    recording.number AS visit_occurrence_id,
    impression.concept_code AS observation_source_value,
    found.state AS qualifier_source_value,
    found.concept_code AS value_source_value
FROM omop_found AS found
JOIN omop_recording AS recording ON recording.number = found.number
JOIN omop_code AS impression ON impression.name = 'impression'
ORDER BY found.observation_id

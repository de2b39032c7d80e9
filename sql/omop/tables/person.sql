SELECT
    person_id,
    CASE sex WHEN 'male' THEN 8507 WHEN 'female' THEN 8532 ELSE 0 END AS gender_concept_id,
    year_of_birth,
    0 AS race_concept_id,
    0 AS ethnicity_concept_id,
    left(patient_pseudonym, 50) AS person_source_value,
    sex AS gender_source_value
FROM omop_person
WHERE person_id IN (SELECT person_id FROM omop_recording)
ORDER BY person_id

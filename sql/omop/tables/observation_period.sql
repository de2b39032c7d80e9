-- From a person's first recording to the last one: nothing is known of what was between them.
SELECT
    person_id AS observation_period_id,
    person_id,
    min(starts_at)::date AS observation_period_start_date,
    max(ends_at)::date AS observation_period_end_date,
    32880 AS period_type_concept_id
FROM omop_recording
GROUP BY person_id
ORDER BY person_id

-- Where a whole vocabulary is loaded: the standard concepts of codes that the export knew none for (concept 0).
CREATE TEMP TABLE omop_mapped AS
SELECT source.vocabulary_id, source.concept_code, min(target.concept_id) AS concept_id
FROM concept AS source
JOIN concept_relationship AS maps
    ON maps.concept_id_1 = source.concept_id AND maps.relationship_id = 'Maps to' AND maps.invalid_reason IS NULL
JOIN concept AS target ON target.concept_id = maps.concept_id_2 AND target.standard_concept = 'S'
WHERE source.vocabulary_id IN ('LOINC', 'SNOMED', 'UCUM')
GROUP BY source.vocabulary_id, source.concept_code;

UPDATE measurement SET measurement_concept_id = mapped.concept_id
FROM omop_mapped AS mapped
WHERE mapped.vocabulary_id = 'LOINC' AND mapped.concept_code = measurement.measurement_source_value AND measurement.measurement_concept_id = 0;

UPDATE measurement SET unit_concept_id = mapped.concept_id
FROM omop_mapped AS mapped
WHERE mapped.vocabulary_id = 'UCUM' AND mapped.concept_code = measurement.unit_source_value AND measurement.unit_concept_id = 0;

UPDATE observation SET observation_concept_id = mapped.concept_id
FROM omop_mapped AS mapped
WHERE mapped.vocabulary_id = 'LOINC' AND mapped.concept_code = observation.observation_source_value AND observation.observation_concept_id = 0;

UPDATE observation SET value_as_concept_id = mapped.concept_id
FROM omop_mapped AS mapped
WHERE mapped.vocabulary_id = 'SNOMED' AND mapped.concept_code = observation.value_source_value AND observation.value_as_concept_id = 0;

SELECT
    'ECG batch-scoring platform' AS cdm_source_name,
    'ecg_core' AS cdm_source_abbreviation,
    'not stated' AS cdm_holder,
    'ECGs read by software; for research use, not for diagnosis' AS source_description,
    'docs/omop.md' AS source_documentation_reference,
    current_date AS source_release_date,
    current_date AS cdm_release_date,
    '5.4' AS cdm_version,
    756265 AS cdm_version_concept_id,
    'not stated' AS vocabulary_version

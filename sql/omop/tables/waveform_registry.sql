-- The signal is named by its content: a file's own name and place can identify somebody.
SELECT
    number AS waveform_registry_id,
    number AS waveform_occurrence_id,
    person_id,
    starts_at AS waveform_file_start_datetime,
    ends_at AS waveform_file_end_datetime,
    number AS visit_occurrence_id,
    0 AS file_extension_concept_id,
    source_format AS file_extension_source_value,
    'urn:sha256:' || recording_id AS waveform_target_file_uri
FROM omop_recording
ORDER BY number

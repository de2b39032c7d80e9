SELECT
    number AS waveform_occurrence_id,
    4163951 AS waveform_occurrence_concept_id,
    person_id,
    starts_at AS waveform_occurrence_start_datetime,
    ends_at AS waveform_occurrence_end_datetime,
    number AS visit_occurrence_id,
    lag(number) OVER (PARTITION BY person_id ORDER BY number) AS preceding_waveform_occurrence_id,
    0 AS waveform_format_concept_id,
    recording_id AS waveform_occurrence_source_value,
    1 AS num_of_files,
    source_format AS waveform_format_source_value
FROM omop_recording
ORDER BY number

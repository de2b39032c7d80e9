-- Of each lead its rate, and the share of it that could be read; the odd numbers are the rates.
SELECT
    2 * channel.channel - 1 + said.place AS waveform_channel_metadata_id,
    channel.number AS waveform_registry_id,
    channel.number AS procedure_occurrence_id,
    channel.name AS waveform_channel_source_value,
    0 AS channel_concept_id,
    said.name AS metadata_source_value,
    0 AS metadata_concept_id,
    said.value AS value_as_number,
    0 AS unit_concept_id,
    said.unit AS unit_source_value
FROM omop_channel AS channel
JOIN omop_recording AS recording ON recording.number = channel.number
LEFT JOIN ecg_mart.lead_quality AS quality ON quality.scoring_run_id = recording.scoring_run_id AND quality.lead_index = channel.place - 1
CROSS JOIN LATERAL (VALUES
    (0, 'sampling_rate', recording.sampling_rate_hz, 'Hz'),
    (1, 'analysable_share', quality.analysable_share, '1')
) AS said (place, name, value, unit)
WHERE said.value IS NOT NULL
ORDER BY 1

-- Each number, each finding, each named stretch and each burden; what it is stands before the version that said it.
WITH feature AS (
    SELECT number, 1 AS part, measurement_id AS place, measurement_id, NULL::integer AS observation_id, name,
        NULL::double precision AS from_s, NULL::double precision AS to_s, value, NULL AS text, unit_concept_id, unit
    FROM omop_measured
    UNION ALL
    SELECT number, 2, observation_id, NULL, observation_id, 'finding', NULL, NULL, NULL, finding, NULL, NULL
    FROM omop_found
    UNION ALL
    SELECT recording.number, 3, row_number() OVER (ORDER BY episode.start_s, episode.end_s, episode.kind), NULL, NULL, 'episode',
        episode.start_s, episode.end_s, NULL, episode.kind, NULL, NULL
    FROM omop_recording AS recording
    JOIN ecg_mart.rhythm_episode_final AS episode ON episode.scoring_run_id = recording.scoring_run_id
    UNION ALL
    SELECT recording.number, 4, burden.place, NULL, NULL, burden.name, NULL, NULL, burden.value, NULL, 0, '1'
    FROM omop_recording AS recording
    CROSS JOIN LATERAL (VALUES
        (1, 'ventricular_share', recording.ventricular_share),
        (2, 'supraventricular_share', recording.supraventricular_share),
        (3, 'fibrillation_share', recording.fibrillation_share),
        (4, 'analysable_share', recording.analysable_share)
    ) AS burden (place, name, value)
    WHERE burden.value IS NOT NULL
)
SELECT
    row_number() OVER (ORDER BY feature.number, feature.part, feature.place)::integer AS waveform_feature_id,
    feature.number AS waveform_occurrence_id,
    feature.number AS waveform_registry_id,
    2 * channel.channel - 1 AS waveform_channel_metadata_id,
    feature.measurement_id,
    feature.observation_id,
    0 AS algorithm_concept_id,
    feature.name || ' by ' || recording.model_version AS algorithm_source_value,
    recording.starts_at + make_interval(secs => coalesce(feature.from_s, 0)) AS waveform_feature_start_timestamp,
    recording.starts_at + make_interval(secs => coalesce(feature.to_s, recording.duration_s)) AS waveform_feature_end_timestamp,
    feature.value AS value_as_number,
    feature.text AS value_as_string,
    feature.unit_concept_id,
    feature.unit AS unit_source_value
FROM feature
JOIN omop_recording AS recording ON recording.number = feature.number
JOIN LATERAL (
    SELECT channel FROM omop_channel WHERE omop_channel.number = feature.number ORDER BY is_primary DESC NULLS LAST, place LIMIT 1
) AS channel ON true
ORDER BY 1

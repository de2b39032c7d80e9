-- What goes out of the mart, numbered: temporary tables that the files in tables/ read. Made anew by each export.
-- omop_concept (the rows of concept.csv) and omop_code (LOINC and SNOMED CT by our names) are there before.

CREATE TEMP TABLE omop_candidate ON COMMIT DROP AS
SELECT
    recording.recording_id,
    recording.patient_pseudonym,
    recording.start_time,
    recording.duration_s,
    recording.age_years,
    recording.sex,
    recording.synthetic,
    recording.source_format,
    recording.lead_names,
    recording.sampling_rate_hz,
    recording.kind,
    score.reading_id,
    score.scoring_run_id,
    score.model_version,
    score.mean_heart_rate_bpm,
    score.ventricular_share,
    score.supraventricular_share,
    score.fibrillation_share,
    score.analysable_share
FROM ecg_mart.recording AS recording
LEFT JOIN ecg_mart.score_final AS score ON score.recording_id = recording.recording_id AND score.is_newest
WHERE recording.arrived_at >= :since AND recording.arrived_at < :until;

-- The year of birth is that of the first recording that says date and age; the true one may be the year before.
CREATE TEMP TABLE omop_person ON COMMIT DROP AS
SELECT
    row_number() OVER (ORDER BY patient_pseudonym)::integer AS person_id,
    patient_pseudonym,
    (array_agg(extract(year FROM start_time)::integer - age_years ORDER BY start_time))[1] AS year_of_birth,
    (array_agg(sex ORDER BY start_time) FILTER (WHERE sex IS NOT NULL))[1] AS sex
FROM omop_candidate
WHERE NOT synthetic AND patient_pseudonym IS NOT NULL AND start_time IS NOT NULL AND age_years IS NOT NULL
GROUP BY patient_pseudonym;

CREATE TEMP TABLE omop_left_out ON COMMIT DROP AS
SELECT
    candidate.recording_id,
    CASE
        WHEN candidate.synthetic THEN 'synthetic: no person was recorded'
        WHEN candidate.patient_pseudonym IS NULL THEN 'of nobody known'
        WHEN candidate.start_time IS NULL THEN 'without a date'
        WHEN person.person_id IS NULL THEN 'of a person without an age'
        WHEN candidate.reading_id IS NULL THEN 'without scores'
    END AS reason,
    candidate.patient_pseudonym
FROM omop_candidate AS candidate
LEFT JOIN omop_person AS person ON person.patient_pseudonym = candidate.patient_pseudonym;

CREATE TEMP TABLE omop_recording ON COMMIT DROP AS
SELECT
    row_number() OVER (ORDER BY candidate.start_time, candidate.recording_id)::integer AS number,
    person.person_id,
    candidate.start_time AS starts_at,
    candidate.start_time + make_interval(secs => candidate.duration_s) AS ends_at,
    candidate.*
FROM omop_candidate AS candidate
JOIN omop_person AS person ON person.patient_pseudonym = candidate.patient_pseudonym
JOIN omop_left_out AS fate ON fate.recording_id = candidate.recording_id AND fate.reason IS NULL;

-- The numbers of a resting ECG are those of its median beat, those of any other the medians over its beats.
CREATE TEMP TABLE omop_measured ON COMMIT DROP AS
WITH resting AS (
    SELECT recording.number, measured.name, measured.value
    FROM omop_recording AS recording
    JOIN ecg_mart.measurement AS measured ON measured.recording_id = recording.recording_id AND measured.is_newest
    WHERE measured.lead IS NULL
),
of_beats AS (
    SELECT recording.number, value.name, value.value
    FROM omop_recording AS recording
    JOIN ecg_mart.score AS score ON score.scoring_run_id = recording.scoring_run_id
    CROSS JOIN LATERAL (VALUES
        ('pr_ms', score.median_pr_ms),
        ('qrs_duration_ms', score.median_qrs_duration_ms),
        ('qt_ms', score.median_qt_ms),
        ('qtc_bazett_ms', score.median_qtc_bazett_ms)
    ) AS value (name, value)
    WHERE recording.number NOT IN (SELECT number FROM resting)
),
valued AS (
    SELECT number, 'heart_rate_bpm' AS name, mean_heart_rate_bpm::double precision AS value FROM omop_recording
    UNION ALL SELECT number, name, value FROM resting
    UNION ALL SELECT number, name, value FROM of_beats
)
SELECT
    row_number() OVER (ORDER BY valued.number, valued.name)::integer AS measurement_id,
    valued.number,
    valued.name,
    valued.value,
    code.concept_code,
    coalesce(concept.concept_id, 0) AS concept_id,
    unit.symbol AS unit,
    coalesce(unit_concept.concept_id, 0) AS unit_concept_id
FROM valued
JOIN omop_code AS code ON code.name = valued.name
LEFT JOIN omop_concept AS concept ON concept.vocabulary_id = code.vocabulary_id AND concept.concept_code = code.concept_code
CROSS JOIN LATERAL (
    SELECT CASE substring(valued.name FROM '[a-z]+$') WHEN 'bpm' THEN '/min' ELSE substring(valued.name FROM '[a-z]+$') END AS symbol
) AS unit
LEFT JOIN omop_concept AS unit_concept ON unit_concept.vocabulary_id = 'UCUM' AND unit_concept.concept_code = unit.symbol
WHERE valued.value IS NOT NULL;

CREATE TEMP TABLE omop_found ON COMMIT DROP AS
SELECT
    row_number() OVER (ORDER BY recording.number, finding.finding_index)::integer AS observation_id,
    recording.number,
    finding.finding,
    finding.state,
    code.concept_code,
    coalesce(concept.concept_id, 0) AS concept_id
FROM omop_recording AS recording
JOIN ecg_mart.finding_final AS finding ON finding.reading_id = recording.reading_id
LEFT JOIN omop_code AS code ON code.name = finding.finding
LEFT JOIN omop_concept AS concept ON concept.vocabulary_id = code.vocabulary_id AND concept.concept_code = code.concept_code;

CREATE TEMP TABLE omop_channel ON COMMIT DROP AS
SELECT
    row_number() OVER (ORDER BY recording.number, lead.place)::integer AS channel,
    recording.number,
    lead.name,
    lead.place,
    lead.name = score.primary_lead AS is_primary
FROM omop_recording AS recording
JOIN ecg_mart.score AS score ON score.scoring_run_id = recording.scoring_run_id
CROSS JOIN LATERAL unnest(recording.lead_names) WITH ORDINALITY AS lead (name, place);

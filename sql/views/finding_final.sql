-- finding_final
-- Grain: one finding that stands, of one reading.
-- Sources: ecg.finding, ecg.final_reading, ecg.final_finding, ecg.reading_run, ecg.scoring_run, ecg.recording.
-- Caveats: The model's where nobody has signed; else as worked out from the beats that readers corrected, without those that they struck. No row says that nothing was found of a kind.
CREATE OR REPLACE VIEW ecg_mart.finding_final AS
SELECT
    stands.reading_id,
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    stands.kind AS finding,
    stands.urgency,
    stands.n_episodes,
    stands.n_beats,
    stands.beat_share,
    stands.total_s,
    stands.longest_s,
    stands.min_heart_rate_bpm,
    stands.max_heart_rate_bpm,
    stands.mean_probability,
    stands.n_called,
    stands.n_uncertain,
    stands.n_in_fibrillation,
    stands.finding_index,
    stands.sentence,
    stands.evidence,
    stands.state,
    stands.holds_since,
    reading.reading_id = (SELECT max(newer.reading_id) FROM ecg.reading AS newer WHERE newer.recording_id = reading.recording_id) AS is_newest,
    stands.leads,
    stands.measured,
    stands.limit_value,
    stands.doubts
FROM (
    SELECT scored.reading_id, 'preliminary' AS state, made.first_made_at AS holds_since, scored.kind,
        scored.urgency, scored.n_episodes, scored.n_beats, scored.beat_share, scored.total_s, scored.longest_s, scored.min_heart_rate_bpm, scored.max_heart_rate_bpm, scored.mean_probability, scored.n_called, scored.n_uncertain, scored.n_in_fibrillation, scored.finding_index, scored.sentence, scored.evidence,
        scored.leads, scored.measured, scored.limit_value, scored.doubts
    FROM ecg.finding AS scored
    JOIN ecg.reading AS made ON made.reading_id = scored.reading_id
    WHERE NOT EXISTS (SELECT FROM ecg.final_reading AS any_final WHERE any_final.reading_id = scored.reading_id)
    UNION ALL
    SELECT newest.reading_id, newest.state, newest.holds_since, final.kind,
        final.urgency, final.n_episodes, final.n_beats, final.beat_share, final.total_s, final.longest_s, final.min_heart_rate_bpm, final.max_heart_rate_bpm, final.mean_probability, final.n_called, final.n_uncertain, final.n_in_fibrillation, final.finding_index, final.sentence, final.evidence,
        final.leads, final.measured, final.limit_value, final.doubts
    FROM (
        SELECT DISTINCT ON (reading_id) reading_id, final_id, state, holds_since
        FROM ecg.final_reading
        ORDER BY reading_id, final_id DESC
    ) AS newest
    JOIN ecg.final_finding AS final ON final.final_id = newest.final_id
) AS stands
JOIN ecg.reading AS reading ON reading.reading_id = stands.reading_id
JOIN ecg.reading_run AS part ON part.reading_id = stands.reading_id AND part.task = 'beats'
JOIN ecg.scoring_run AS run ON run.scoring_run_id = part.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.finding_final IS 'Grain: one finding that stands, of one reading. The model''s where nobody has signed; else as worked out from the beats that readers corrected, without those that they struck. No row says that nothing was found of a kind.';
COMMENT ON COLUMN ecg_mart.finding_final.reading_id IS 'Number of the reading: short for recording and model versions, one a task.';
COMMENT ON COLUMN ecg_mart.finding_final.scoring_run_id IS 'Number of the scoring run of the beats.';
COMMENT ON COLUMN ecg_mart.finding_final.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.finding_final.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.finding_final.model_version IS 'The model version that scored the beats.';
COMMENT ON COLUMN ecg_mart.finding_final.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.finding_final.finding IS 'Kind of finding, as in ecg_mart.finding.';
COMMENT ON COLUMN ecg_mart.finding_final.urgency IS 'urgent, notable, info, or doubt (told as inconclusive).';
COMMENT ON COLUMN ecg_mart.finding_final.n_episodes IS 'How many stretches; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg_mart.finding_final.n_beats IS 'Beats of all stretches, or beats of the class; NULL where it is not one of beats.';
COMMENT ON COLUMN ecg_mart.finding_final.beat_share IS 'Share of the analysable beats, 0 to 1; for v_beats and its like.';
COMMENT ON COLUMN ecg_mart.finding_final.total_s IS 'Length of all stretches together in seconds.';
COMMENT ON COLUMN ecg_mart.finding_final.longest_s IS 'Length of the longest stretch in seconds.';
COMMENT ON COLUMN ecg_mart.finding_final.min_heart_rate_bpm IS 'Heart rate of the slowest stretch, beats per minute.';
COMMENT ON COLUMN ecg_mart.finding_final.max_heart_rate_bpm IS 'Heart rate of the fastest stretch, beats per minute.';
COMMENT ON COLUMN ecg_mart.finding_final.mean_probability IS 'Mean calibrated probability of the called class over the beats that it rests on, 0 to 1; of what a reader said none is known.';
COMMENT ON COLUMN ecg_mart.finding_final.n_called IS 'Beats whose class it rests on; NULL where it rests on times alone.';
COMMENT ON COLUMN ecg_mart.finding_final.n_uncertain IS 'How many of them are uncertain: inconclusive.';
COMMENT ON COLUMN ecg_mart.finding_final.n_in_fibrillation IS 'How many of them lie in atrial fibrillation; NULL for other classes than S.';
COMMENT ON COLUMN ecg_mart.finding_final.finding_index IS 'Its place in the report, from 0.';
COMMENT ON COLUMN ecg_mart.finding_final.sentence IS 'The finding in plain words, as the report states it; NULL where no report states it.';
COMMENT ON COLUMN ecg_mart.finding_final.evidence IS 'Stretches that bear it out, the most telling first.';
COMMENT ON COLUMN ecg_mart.finding_final.state IS 'preliminary, final or amended, as in ecg_mart.score_final.';
COMMENT ON COLUMN ecg_mart.finding_final.holds_since IS 'From when on it stands so.';
COMMENT ON COLUMN ecg_mart.finding_final.is_newest IS 'True for the recording''s newest reading.';
COMMENT ON COLUMN ecg_mart.finding_final.leads IS 'Of a resting ECG: leads that meet the criterion; empty where it is of all leads, or no criterion.';
COMMENT ON COLUMN ecg_mart.finding_final.measured IS 'Of a resting ECG: what the finding rests on, objects with lead, name, value and unit.';
COMMENT ON COLUMN ecg_mart.finding_final.limit_value IS 'Limit that the first value of measured was held against; NULL where there is none.';
COMMENT ON COLUMN ecg_mart.finding_final.doubts IS 'Of a resting ECG: why the finding is doubtful, for instance filter_not_stated; empty where there is none.';

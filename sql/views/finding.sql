-- finding
-- Grain: one finding of one reading: about one recording by one model version a task.
-- Sources: ecg.finding, ecg.reading_run, ecg.scoring_run, ecg.recording.
-- Caveats: As decided at scoring: what stands after readers' answers is in ecg_mart.finding_final. A kind of episode is one finding however often it occurs. No row says that nothing was found of a kind.
CREATE OR REPLACE VIEW ecg_mart.finding AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    finding.kind AS finding,
    finding.urgency,
    finding.n_episodes,
    finding.n_beats,
    finding.beat_share,
    finding.longest_s,
    finding.min_heart_rate_bpm,
    finding.max_heart_rate_bpm,
    run.analysable_share,
    finding.finding_index,
    finding.sentence,
    finding.total_s,
    finding.mean_probability,
    finding.n_called,
    finding.n_uncertain,
    finding.n_in_fibrillation,
    finding.evidence,
    finding.reading_id,
    (
        SELECT NOT answer.agrees
        FROM ecg.review AS answer
        WHERE answer.reading_id = finding.reading_id AND answer.finding = finding.kind AND answer.agrees IS NOT NULL
        ORDER BY answer.review_id DESC
        LIMIT 1
    ) AS disputed,
    finding.leads,
    finding.measured,
    finding.limit_value,
    finding.doubts,
    finding.reading_id = (SELECT max(newer.reading_id) FROM ecg.reading AS newer WHERE newer.recording_id = run.recording_id) AS is_newest
FROM ecg.finding AS finding
JOIN ecg.reading_run AS part ON part.reading_id = finding.reading_id AND part.task = 'beats'
JOIN ecg.scoring_run AS run ON run.scoring_run_id = part.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.finding IS 'Grain: one finding of one reading: about one recording by one model version a task. As decided at scoring: what stands after readers'' answers is in ecg_mart.finding_final. A kind of episode is one finding however often it occurs. No row says that nothing was found of a kind.';
COMMENT ON COLUMN ecg_mart.finding.scoring_run_id IS 'Number of the scoring run of its beats.';
COMMENT ON COLUMN ecg_mart.finding.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.finding.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.finding.model_version IS 'The model version that scored the beats.';
COMMENT ON COLUMN ecg_mart.finding.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.finding.finding IS 'vf, vt, possible_vf, possible_vt, possible_v_run, wide_complex_tachycardia, escape, svt, idioventricular, standstill_unclear, pacing, lost_contact, v_run, pause, tachycardia, bradycardia, atrial_fibrillation, v_couplet, bigeminy, trigeminy, s_run, s_couplet, v_beats, s_beats, f_beats, q_beats, pr_long, qrs_wide, qtc_long, poor_signal or no_analysable_beats; of a resting ECG superclass_mi (sttc, cd, hyp, norm), superclass_inconclusive, or a criterion, for instance lbbb or st_elevation.';
COMMENT ON COLUMN ecg_mart.finding.urgency IS 'urgent, notable, info, or doubt (told as inconclusive).';
COMMENT ON COLUMN ecg_mart.finding.n_episodes IS 'How many stretches; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg_mart.finding.n_beats IS 'Beats of all stretches, those between ectopic ones too; or beats of the class; NULL where it is not one of beats.';
COMMENT ON COLUMN ecg_mart.finding.beat_share IS 'Share of the analysable beats, 0 to 1; for v_beats, s_beats, f_beats and q_beats.';
COMMENT ON COLUMN ecg_mart.finding.longest_s IS 'Length of the longest stretch in seconds; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg_mart.finding.min_heart_rate_bpm IS 'Heart rate of the slowest stretch, beats per minute; NULL where none has one.';
COMMENT ON COLUMN ecg_mart.finding.max_heart_rate_bpm IS 'Heart rate of the fastest stretch, beats per minute; NULL where none has one.';
COMMENT ON COLUMN ecg_mart.finding.analysable_share IS 'Share of the epochs of 10 s in which some lead is analysable, 0 to 1.';
COMMENT ON COLUMN ecg_mart.finding.finding_index IS 'Place of the finding in the report, from 0, the most urgent first.';
COMMENT ON COLUMN ecg_mart.finding.sentence IS 'The finding in plain words, as the report states it; NULL where no report stated it.';
COMMENT ON COLUMN ecg_mart.finding.total_s IS 'Length of all stretches together in seconds; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg_mart.finding.mean_probability IS 'Mean calibrated probability of the called class over the beats that it rests on, 0 to 1; for atrial_fibrillation that of the stretch that is told; NULL where it rests on times alone.';
COMMENT ON COLUMN ecg_mart.finding.n_called IS 'Beats whose class it rests on; NULL where it rests on times alone, and where their probabilities are not known.';
COMMENT ON COLUMN ecg_mart.finding.n_uncertain IS 'How many of n_called are uncertain; NULL where it rests on no class.';
COMMENT ON COLUMN ecg_mart.finding.n_in_fibrillation IS 'How many of n_called lie in atrial fibrillation, where no beat is early; NULL for other classes than S.';
COMMENT ON COLUMN ecg_mart.finding.evidence IS 'Stretches that bear it out, the most telling first: objects with start_s, end_s, n_beats and heart_rate_bpm, the last two null where it is no stretch of beats.';
COMMENT ON COLUMN ecg_mart.finding.reading_id IS 'Number of the reading: short for recording and model versions, one a task.';
COMMENT ON COLUMN ecg_mart.finding.disputed IS 'True where the newest answer on it disagrees, false where it agrees; NULL where nobody judged it.';
COMMENT ON COLUMN ecg_mart.finding.leads IS 'Of a resting ECG: leads that meet the criterion; empty where it is of all leads, or no criterion.';
COMMENT ON COLUMN ecg_mart.finding.measured IS 'Of a resting ECG: what the finding rests on, objects with lead, name, value and unit.';
COMMENT ON COLUMN ecg_mart.finding.limit_value IS 'Limit that the first value of measured was held against; NULL where there is none.';
COMMENT ON COLUMN ecg_mart.finding.doubts IS 'Of a resting ECG: why the finding is doubtful, for instance filter_not_stated; empty where there is none.';
COMMENT ON COLUMN ecg_mart.finding.is_newest IS 'True for the newest reading of the recording: without it a recording that was scored again counts twice.';

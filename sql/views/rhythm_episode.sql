-- rhythm_episode
-- Grain: one stretch of beats with a name, by one model version.
-- Sources: ecg.rhythm_episode, ecg.scoring_run, ecg.recording.
-- Caveats: Stretches may overlap: a run of V can lie within a tachycardia.
CREATE OR REPLACE VIEW ecg_mart.rhythm_episode AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    episode.episode_index,
    episode.kind,
    episode.start_s,
    episode.end_s,
    episode.end_s - episode.start_s AS duration_s,
    episode.first_beat_index,
    episode.last_beat_index,
    episode.last_beat_index - episode.first_beat_index + 1 AS n_beats,
    episode.heart_rate_bpm,
    episode.probability,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = 'beats') AS is_newest,
    recording.start_time + make_interval(secs => episode.start_s) AS starts_at
FROM ecg.rhythm_episode AS episode
JOIN ecg.scoring_run AS run ON run.scoring_run_id = episode.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.rhythm_episode IS 'Grain: one stretch of beats with a name, by one model version. Stretches may overlap: a run of V can lie within a tachycardia.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.episode_index IS 'Number of the stretch in its scoring run, from 0.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.kind IS 'v_couplet, v_run, s_couplet, s_run, bigeminy, trigeminy, pause, bradycardia, tachycardia, atrial_fibrillation, vf, vt, possible_vf, possible_vt, possible_v_run, wide_complex_tachycardia, escape, svt, idioventricular, standstill_unclear, pacing, lost_contact.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.start_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.end_s IS 'End, seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.duration_s IS 'Length in seconds.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.first_beat_index IS 'First beat of the stretch.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.last_beat_index IS 'Last beat of the stretch, itself included.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.n_beats IS 'Beats in it.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.heart_rate_bpm IS 'Heart rate within it, beats per minute; NULL where it has none.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.probability IS 'Mean probability over its windows of 30 s, for atrial_fibrillation; NULL for stretches that are counted from beats.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.is_newest IS 'True for the recording''s newest scoring run of the beats: without it a recording that was scored twice counts twice.';
COMMENT ON COLUMN ecg_mart.rhythm_episode.starts_at IS 'When it begins, by the recording''s own clock, without time zone; NULL where the file gives no time.';

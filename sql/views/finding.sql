-- finding
-- Grain: one finding about one recording by one model version.
-- Sources: ecg.scoring_run, ecg.rhythm_episode, ecg.recording.
-- Caveats: The same bounds as in the report. A kind of episode is one finding however often it occurs. No row says that nothing was found of a kind.
CREATE OR REPLACE VIEW ecg_mart.finding AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    found.finding,
    found.urgency,
    found.n_episodes,
    found.n_beats,
    found.beat_share,
    found.longest_s,
    found.min_heart_rate_bpm,
    found.max_heart_rate_bpm,
    run.analysable_share
FROM ecg.scoring_run AS run
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id
JOIN (
    SELECT
        episode.scoring_run_id,
        episode.kind AS finding,
        CASE
            WHEN episode.kind = 'v_run' THEN 'urgent'
            WHEN episode.kind = 'pause' AND max(episode.end_s - episode.start_s) > 2.5 THEN 'urgent'
            WHEN episode.kind = 'tachycardia' AND max(episode.heart_rate_bpm) >= 150 THEN 'urgent'
            WHEN episode.kind = 'bradycardia' AND min(episode.heart_rate_bpm) <= 40 THEN 'urgent'
            WHEN episode.kind = 's_couplet' THEN 'info'
            WHEN episode.kind = 'atrial_fibrillation' AND max(episode.probability) < 0.8::real THEN 'doubt'
            ELSE 'notable'
        END AS urgency,
        count(*)::integer AS n_episodes,
        sum(episode.last_beat_index - episode.first_beat_index + 1)::integer AS n_beats,
        NULL::double precision AS beat_share,
        max(episode.end_s - episode.start_s) AS longest_s,
        min(episode.heart_rate_bpm) AS min_heart_rate_bpm,
        max(episode.heart_rate_bpm) AS max_heart_rate_bpm
    FROM ecg.rhythm_episode AS episode
    GROUP BY episode.scoring_run_id, episode.kind
    UNION ALL
    SELECT
        counted.scoring_run_id,
        called.finding,
        CASE
            WHEN called.finding = 'v_beats' AND called.n >= 10 AND called.n >= 0.1 * counted.n_beats_analysable THEN 'urgent'
            WHEN called.finding = 'v_beats' THEN 'notable'
            ELSE 'info'
        END,
        NULL,
        called.n,
        called.n::double precision / counted.n_beats_analysable,
        NULL,
        NULL,
        NULL
    FROM ecg.scoring_run AS counted
    CROSS JOIN LATERAL (
        VALUES
            ('v_beats', counted.n_class_v), ('s_beats', counted.n_class_s),
            ('f_beats', counted.n_class_f), ('q_beats', counted.n_class_q)
    ) AS called (finding, n)
    WHERE called.n > 0
    UNION ALL
    SELECT poor.scoring_run_id, 'poor_signal', 'doubt', NULL, NULL, NULL, NULL, NULL, NULL
    FROM ecg.scoring_run AS poor
    WHERE poor.task = 'beats' AND poor.analysable_share < 0.9
    UNION ALL
    SELECT nothing.scoring_run_id, 'no_analysable_beats', 'doubt', NULL, NULL, NULL, NULL, NULL, NULL
    FROM ecg.scoring_run AS nothing
    WHERE nothing.n_beats_analysable = 0
) AS found ON found.scoring_run_id = run.scoring_run_id;

COMMENT ON VIEW ecg_mart.finding IS 'Grain: one finding about one recording by one model version. The same bounds as in the report. A kind of episode is one finding however often it occurs. No row says that nothing was found of a kind.';
COMMENT ON COLUMN ecg_mart.finding.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.finding.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.finding.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.finding.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.finding.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.finding.finding IS 'v_run, pause, tachycardia, bradycardia, v_couplet, bigeminy, trigeminy, s_run, s_couplet, v_beats, s_beats, f_beats, q_beats, poor_signal or no_analysable_beats.';
COMMENT ON COLUMN ecg_mart.finding.urgency IS 'urgent, notable, info, or doubt (the signal is poor).';
COMMENT ON COLUMN ecg_mart.finding.n_episodes IS 'How many stretches; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg_mart.finding.n_beats IS 'Beats in it; NULL where it is not one of beats.';
COMMENT ON COLUMN ecg_mart.finding.beat_share IS 'Share of the analysable beats, 0 to 1; for v_beats, s_beats, f_beats and q_beats.';
COMMENT ON COLUMN ecg_mart.finding.longest_s IS 'Length of the longest stretch in seconds; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg_mart.finding.min_heart_rate_bpm IS 'Lowest heart rate of a stretch, beats per minute; NULL where it has none.';
COMMENT ON COLUMN ecg_mart.finding.max_heart_rate_bpm IS 'Highest heart rate of a stretch, beats per minute; NULL where it has none.';
COMMENT ON COLUMN ecg_mart.finding.analysable_share IS 'Share of the primary lead''s epochs that are analysable, 0 to 1.';

-- rhythm_episode_final
-- Grain: one stretch with a name that stands, of one scoring run.
-- Sources: ecg.rhythm_episode, ecg.final_reading, ecg.final_episode, ecg.reading_run, ecg.scoring_run, ecg.recording.
-- Caveats: The model's where nobody has signed; else as worked out from the beats that readers corrected, with the stretches that they named. Stretches may overlap.
CREATE OR REPLACE VIEW ecg_mart.rhythm_episode_final AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    stands.kind,
    stands.start_s,
    stands.end_s,
    stands.end_s - stands.start_s AS duration_s,
    stands.n_beats,
    stands.heart_rate_bpm,
    stands.probability,
    stands.reviewer_id,
    coalesce(stands.holds_since, run.scored_at) AS holds_since
FROM (
    SELECT
        model.scoring_run_id, model.kind, model.start_s, model.end_s, model.last_beat_index - model.first_beat_index + 1 AS n_beats,
        model.heart_rate_bpm, model.probability, NULL::integer AS reviewer_id, NULL::timestamptz AS holds_since
    FROM ecg.rhythm_episode AS model
    WHERE NOT EXISTS (
        SELECT FROM ecg.final_reading AS any_final
        JOIN ecg.reading_run AS its ON its.reading_id = any_final.reading_id AND its.task = 'beats'
        WHERE its.scoring_run_id = model.scoring_run_id
    )
    UNION ALL
    SELECT
        newest.scoring_run_id, final.kind, final.start_s, final.end_s, final.n_beats, final.heart_rate_bpm, final.probability,
        final.reviewer_id, newest.holds_since
    FROM (
    SELECT DISTINCT ON (newest_part.scoring_run_id)
        newest_part.scoring_run_id, newest.final_id, newest.holds_since, newest.signature_holds
    FROM ecg.final_reading AS newest
    JOIN ecg.reading_run AS newest_part ON newest_part.reading_id = newest.reading_id AND newest_part.task = 'beats'
    ORDER BY newest_part.scoring_run_id, newest.final_id DESC
) AS newest
    JOIN ecg.final_episode AS final ON final.final_id = newest.final_id
) AS stands
JOIN ecg.scoring_run AS run ON run.scoring_run_id = stands.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.rhythm_episode_final IS 'Grain: one stretch with a name that stands, of one scoring run. The model''s where nobody has signed; else as worked out from the beats that readers corrected, with the stretches that they named. Stretches may overlap.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.scoring_run_id IS 'Number of the scoring run of the beats.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.model_version IS 'The model version that scored the beats.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.kind IS 'Kind of stretch, as in ecg_mart.rhythm_episode.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.start_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.end_s IS 'End, seconds from the start of the recording.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.duration_s IS 'Length in seconds.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.n_beats IS 'Beats in it, those at its ends too.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.heart_rate_bpm IS 'Heart rate in it, beats per minute; NULL where it has none.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.probability IS 'Mean probability of atrial fibrillation, or of what was found in the signal; 1 where a reader named it; NULL for what is counted from beats.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.reviewer_id IS 'Number that stands for who named it; NULL where it follows from the beats or is the model''s.';
COMMENT ON COLUMN ecg_mart.rhythm_episode_final.holds_since IS 'From when on it stands so.';

-- Which episodes of each kind last longest?
-- Those that stand after readers' answers, ten of a kind. Grain: episode. Reads the episodes.
SELECT kind, recording_id, start_s, end_s, n_beats, heart_rate_bpm, place
FROM (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY end_s - start_s DESC, recording_id, start_s) AS place
    FROM ecg_mart.rhythm_episode_final
) AS ranked
WHERE place <= 10
ORDER BY kind, place;

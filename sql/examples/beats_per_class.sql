-- How many beats of each class has each recording, by model version?
-- Analysable beats alone: of the others nothing is claimed. Grain: recording × model version × class.
-- Reads the recording grain.
SELECT
    score.recording_id,
    score.model_version,
    counted.class,
    counted.n_beats,
    counted.n_beats::double precision / nullif(score.n_beats_analysable, 0) AS beat_share
FROM ecg_mart.score
CROSS JOIN LATERAL (
    VALUES
        ('N', score.n_class_n), ('S', score.n_class_s), ('V', score.n_class_v),
        ('F', score.n_class_f), ('Q', score.n_class_q)
) AS counted (class, n_beats)
WHERE counted.n_beats > 0
ORDER BY score.recording_id, score.model_version, counted.class;

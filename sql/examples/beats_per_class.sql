-- How many beats of each class has each recording, by model version?
-- Analysable beats only: of the others nothing is claimed. Grain: recording × model version × class.
SELECT
    run.recording_id,
    run.model_version,
    beat.class,
    count(*) AS n_beats,
    avg(beat.deviation_z) AS mean_deviation_z
FROM ecg.beat
JOIN ecg.scoring_run AS run USING (scoring_run_id)
WHERE beat.analysable
GROUP BY run.recording_id, run.model_version, beat.class
ORDER BY run.recording_id, run.model_version, beat.class;

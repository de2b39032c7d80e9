-- Which recordings have the highest ectopic burden?
-- Share of S, V and F among the analysable beats, and per hour, as the newest scoring run says. Grain: recording.
SELECT
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.n_beats_analysable,
    (run.n_class_s + run.n_class_v + run.n_class_f)::double precision / nullif(run.n_beats_analysable, 0) AS ectopic_share,
    run.n_class_s * 3600 / recording.duration_s AS s_per_hour,
    run.n_class_v * 3600 / recording.duration_s AS v_per_hour,
    run.analysable_share
FROM ecg.scoring_run AS run
JOIN ecg.recording USING (recording_id)
WHERE run.scoring_run_id = (
    SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id
)
ORDER BY ectopic_share DESC NULLS LAST, run.recording_id;

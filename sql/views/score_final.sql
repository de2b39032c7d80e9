-- score_final
-- Grain: one reading of one recording in one period in which its values held.
-- Sources: ecg.reading, ecg.reading_run, ecg.scoring_run, ecg.final_reading, ecg.finding, ecg.final_finding, ecg.recording.
-- Caveats: The first row of a reading is what the model said; each later one what readers had signed by then. is_newest picks one row a recording: what stands now. As of a moment: holds_since <= it and (holds_until > it or is NULL).
CREATE OR REPLACE VIEW ecg_mart.score_final AS
SELECT
    held.reading_id,
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    held.state,
    held.holds_since,
    lead(held.holds_since) OVER (PARTITION BY held.reading_id ORDER BY held.place) AS holds_until,
    row_number() OVER (PARTITION BY run.recording_id ORDER BY held.reading_id DESC, held.place DESC) = 1 AS is_newest,
    held.signature_holds,
    held.signed_by AS reviewer_id,
    held.signed_at,
    recording.duration_s,
    run.analysable_share,
    held.n_beats,
    held.n_beats_analysable,
    held.n_class_n,
    held.n_class_s,
    held.n_class_v,
    held.n_class_f,
    held.n_class_q,
    held.mean_heart_rate_bpm,
    held.min_heart_rate_bpm,
    held.max_heart_rate_bpm,
    held.n_beats_changed,
    (held.n_class_s + held.n_class_v + held.n_class_f)::double precision / nullif(held.n_beats_analysable, 0) AS ectopic_share,
    held.n_class_v::double precision / nullif(held.n_beats_analysable, 0) AS ventricular_share,
    held.n_class_s::double precision / nullif(held.n_beats_analysable, 0) AS supraventricular_share,
    least(1, coalesce(
        (SELECT sum(scored_af.total_s) FROM ecg.finding AS scored_af WHERE held.place = 0 AND scored_af.reading_id = held.reading_id AND scored_af.kind = 'atrial_fibrillation'),
        (SELECT sum(final_af.total_s) FROM ecg.final_finding AS final_af WHERE final_af.final_id = held.place AND final_af.kind = 'atrial_fibrillation'),
        0
    ) / recording.duration_s) AS fibrillation_share,
    recording.start_time,
    recording.age_years,
    recording.sex,
    recording.site
FROM (
    SELECT
        reading.reading_id, 0::bigint AS place, 'preliminary' AS state, reading.first_made_at AS holds_since,
        false AS signature_holds, NULL::integer AS signed_by, NULL::timestamptz AS signed_at,
        scored.n_beats, scored.n_beats_analysable, scored.n_class_n, scored.n_class_s, scored.n_class_v, scored.n_class_f, scored.n_class_q, scored.mean_heart_rate_bpm, scored.min_heart_rate_bpm, scored.max_heart_rate_bpm, 0 AS n_beats_changed
    FROM ecg.reading AS reading
    JOIN ecg.reading_run AS of_beats ON of_beats.reading_id = reading.reading_id AND of_beats.task = 'beats'
    JOIN ecg.scoring_run AS scored ON scored.scoring_run_id = of_beats.scoring_run_id
    UNION ALL
    SELECT
        reading_id, final_id, state, holds_since, signature_holds, signed_by, signed_at,
        n_beats, n_beats_analysable, n_class_n, n_class_s, n_class_v, n_class_f, n_class_q, mean_heart_rate_bpm, min_heart_rate_bpm, max_heart_rate_bpm, n_beats_changed
    FROM ecg.final_reading
) AS held
JOIN ecg.reading_run AS part ON part.reading_id = held.reading_id AND part.task = 'beats'
JOIN ecg.scoring_run AS run ON run.scoring_run_id = part.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.score_final IS 'Grain: one reading of one recording in one period in which its values held. The first row of a reading is what the model said; each later one what readers had signed by then. is_newest picks one row a recording: what stands now. As of a moment: holds_since <= it and (holds_until > it or is NULL).';
COMMENT ON COLUMN ecg_mart.score_final.reading_id IS 'Number of the reading: short for recording and model versions, one a task.';
COMMENT ON COLUMN ecg_mart.score_final.scoring_run_id IS 'Number of the scoring run of the beats.';
COMMENT ON COLUMN ecg_mart.score_final.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.score_final.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.score_final.model_version IS 'The model version that scored the beats.';
COMMENT ON COLUMN ecg_mart.score_final.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.score_final.state IS 'preliminary (as the model said, or the signature no longer holds), final (signed as the model said it) or amended (signed, and not as the model said it).';
COMMENT ON COLUMN ecg_mart.score_final.holds_since IS 'From when on these values held.';
COMMENT ON COLUMN ecg_mart.score_final.holds_until IS 'Until when; NULL where they still do, for this reading.';
COMMENT ON COLUMN ecg_mart.score_final.is_newest IS 'True for what stands now of the recording''s newest reading.';
COMMENT ON COLUMN ecg_mart.score_final.signature_holds IS 'True where a reader has signed exactly this; false where nobody has, or something was answered since.';
COMMENT ON COLUMN ecg_mart.score_final.reviewer_id IS 'Number that stands for who signed last; NULL where nobody has.';
COMMENT ON COLUMN ecg_mart.score_final.signed_at IS 'When; NULL where nobody has.';
COMMENT ON COLUMN ecg_mart.score_final.duration_s IS 'Length of the recording in seconds.';
COMMENT ON COLUMN ecg_mart.score_final.analysable_share IS 'Share of the epochs of 10 s in which some lead is analysable, 0 to 1.';
COMMENT ON COLUMN ecg_mart.score_final.n_beats IS 'Beats, those that readers added too, without those that are none.';
COMMENT ON COLUMN ecg_mart.score_final.n_beats_analysable IS 'Beats of which something is said.';
COMMENT ON COLUMN ecg_mart.score_final.n_class_n IS 'Analysable beats of class N, normal or bundle branch block.';
COMMENT ON COLUMN ecg_mart.score_final.n_class_s IS 'Analysable beats of class S, supraventricular ectopic.';
COMMENT ON COLUMN ecg_mart.score_final.n_class_v IS 'Analysable beats of class V, ventricular ectopic.';
COMMENT ON COLUMN ecg_mart.score_final.n_class_f IS 'Analysable beats of class F, fusion of ventricular and normal.';
COMMENT ON COLUMN ecg_mart.score_final.n_class_q IS 'Analysable beats of class Q: paced, unclassifiable or, most often, noise taken for a beat.';
COMMENT ON COLUMN ecg_mart.score_final.mean_heart_rate_bpm IS 'Mean heart rate, beats per minute; NULL where too few beats are analysable.';
COMMENT ON COLUMN ecg_mart.score_final.min_heart_rate_bpm IS 'Lowest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg_mart.score_final.max_heart_rate_bpm IS 'Highest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg_mart.score_final.n_beats_changed IS 'Beats of which readers say something else than the model: another class, added, or none.';
COMMENT ON COLUMN ecg_mart.score_final.ectopic_share IS 'Share of S, V and F among the analysable beats, 0 to 1; NULL where none is analysable.';
COMMENT ON COLUMN ecg_mart.score_final.ventricular_share IS 'Share of V among the analysable beats, 0 to 1.';
COMMENT ON COLUMN ecg_mart.score_final.supraventricular_share IS 'Share of S among the analysable beats, 0 to 1.';
COMMENT ON COLUMN ecg_mart.score_final.fibrillation_share IS 'Share of the time in what is, or may be, atrial fibrillation, 0 to 1.';
COMMENT ON COLUMN ecg_mart.score_final.start_time IS 'When the recording began, by its recorder''s clock; NULL where the file does not say.';
COMMENT ON COLUMN ecg_mart.score_final.age_years IS 'Age at the recording in whole years, 90 for every age above 89; NULL where the file does not say.';
COMMENT ON COLUMN ecg_mart.score_final.sex IS 'female or male; NULL where the file does not say.';
COMMENT ON COLUMN ecg_mart.score_final.site IS 'First site that sent it (ECG_SITES); NULL where it is of none.';

-- daily
-- Grain: one day (6 to 22 h) or one night (22 to 6 h) of a recording, by its recorder's clock, as one model version scored it.
-- Sources: ecg.hourly, ecg.scoring_run, ecg.recording.
-- Caveats: Summed up from hours from the start of the recording: an hour belongs to where it begins. A night belongs to the date on which it began. Where the file gives no time there is one row without a date.
CREATE OR REPLACE VIEW ecg_mart.daily AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    (placed.starts_at - interval '6 hours')::date AS began_on,
    CASE WHEN placed.starts_at IS NULL THEN NULL WHEN extract(hour FROM placed.starts_at) BETWEEN 6 AND 21 THEN 'day' ELSE 'night' END AS part,
    sum(least(3600, recording.duration_s - 3600 * hourly.hour_index)) AS covered_s,
    sum(hourly.n_beats)::integer AS n_beats,
    sum(hourly.n_beats_analysable)::integer AS n_beats_analysable,
    sum(hourly.n_class_n)::integer AS n_class_n,
    sum(hourly.n_class_s)::integer AS n_class_s,
    sum(hourly.n_class_v)::integer AS n_class_v,
    sum(hourly.n_class_f)::integer AS n_class_f,
    sum(hourly.n_class_q)::integer AS n_class_q,
    sum(hourly.n_class_v)::double precision / nullif(sum(hourly.n_beats_analysable), 0) AS ventricular_share,
    sum(hourly.n_class_s)::double precision / nullif(sum(hourly.n_beats_analysable), 0) AS supraventricular_share,
    sum(hourly.mean_heart_rate_bpm::double precision * hourly.n_beats) / nullif(sum(hourly.n_beats) FILTER (WHERE hourly.mean_heart_rate_bpm IS NOT NULL), 0) AS mean_heart_rate_bpm,
    min(hourly.min_heart_rate_bpm) AS min_heart_rate_bpm,
    max(hourly.max_heart_rate_bpm) AS max_heart_rate_bpm,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = 'beats') AS is_newest
FROM ecg.hourly AS hourly
JOIN ecg.scoring_run AS run ON run.scoring_run_id = hourly.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id
CROSS JOIN LATERAL (SELECT recording.start_time + make_interval(hours => hourly.hour_index) AS starts_at) AS placed
GROUP BY run.scoring_run_id, run.recording_id, recording.patient_pseudonym, run.model_version, run.arrived_month, began_on, part;

COMMENT ON VIEW ecg_mart.daily IS 'Grain: one day (6 to 22 h) or one night (22 to 6 h) of a recording, by its recorder''s clock, as one model version scored it.';
COMMENT ON COLUMN ecg_mart.daily.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg_mart.daily.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg_mart.daily.patient_pseudonym IS 'The person; NULL where the file names none.';
COMMENT ON COLUMN ecg_mart.daily.model_version IS 'The version that scored it.';
COMMENT ON COLUMN ecg_mart.daily.arrived_month IS 'First day of the month (UTC) in which the recording arrived.';
COMMENT ON COLUMN ecg_mart.daily.began_on IS 'Date of the day, or on which the night began; NULL where the file gives no time.';
COMMENT ON COLUMN ecg_mart.daily.part IS 'day or night; NULL where the file gives no time.';
COMMENT ON COLUMN ecg_mart.daily.covered_s IS 'Recorded time, seconds.';
COMMENT ON COLUMN ecg_mart.daily.n_beats IS 'Detected beats.';
COMMENT ON COLUMN ecg_mart.daily.n_beats_analysable IS 'Beats of which something is said.';
COMMENT ON COLUMN ecg_mart.daily.n_class_n IS 'Analysable beats of class N.';
COMMENT ON COLUMN ecg_mart.daily.n_class_s IS 'Analysable beats of class S.';
COMMENT ON COLUMN ecg_mart.daily.n_class_v IS 'Analysable beats of class V.';
COMMENT ON COLUMN ecg_mart.daily.n_class_f IS 'Analysable beats of class F.';
COMMENT ON COLUMN ecg_mart.daily.n_class_q IS 'Analysable beats of class Q.';
COMMENT ON COLUMN ecg_mart.daily.ventricular_share IS 'V of the analysable beats, 0 to 1.';
COMMENT ON COLUMN ecg_mart.daily.supraventricular_share IS 'S of the analysable beats, 0 to 1.';
COMMENT ON COLUMN ecg_mart.daily.mean_heart_rate_bpm IS 'Mean heart rate, beats per minute, hours weighed by their beats; NULL where it is not known.';
COMMENT ON COLUMN ecg_mart.daily.min_heart_rate_bpm IS 'Lowest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg_mart.daily.max_heart_rate_bpm IS 'Highest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg_mart.daily.is_newest IS 'True for the newest scoring run of the recording.';

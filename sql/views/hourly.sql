-- hourly
-- Grain: one hour, from the start of the recording, as one model version scored it.
-- Sources: ecg.hourly, ecg.scoring_run, ecg.recording.
-- Caveats: Written with the beats, so it is there even where retention has dropped them. Hours without a detected beat have no row. The last hour of a recording is seldom whole: see covered_s.
CREATE OR REPLACE VIEW ecg_mart.hourly AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    hourly.hour_index,
    recording.start_time + make_interval(hours => hourly.hour_index) AS hour_starts_at,
    extract(hour FROM recording.start_time + make_interval(hours => hourly.hour_index))::integer AS hour_of_day,
    least(3600, recording.duration_s - 3600 * hourly.hour_index) AS covered_s,
    hourly.n_beats,
    hourly.n_beats_analysable,
    hourly.n_class_n,
    hourly.n_class_s,
    hourly.n_class_v,
    hourly.n_class_f,
    hourly.n_class_q,
    (hourly.n_class_s + hourly.n_class_v + hourly.n_class_f)::double precision / nullif(hourly.n_beats_analysable, 0) AS ectopic_share,
    hourly.n_uncertain,
    hourly.mean_heart_rate_bpm,
    hourly.min_heart_rate_bpm,
    hourly.max_heart_rate_bpm,
    hourly.mean_class_probability,
    hourly.mean_deviation_z,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = 'beats') AS is_newest
FROM ecg.hourly AS hourly
JOIN ecg.scoring_run AS run ON run.scoring_run_id = hourly.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.hourly IS 'Grain: one hour, from the start of the recording, as one model version scored it. Written with the beats, so it is there even where retention has dropped them. Hours without a detected beat have no row. The last hour of a recording is seldom whole: see covered_s.';
COMMENT ON COLUMN ecg_mart.hourly.scoring_run_id IS 'Number of the scoring run: short for recording and model version.';
COMMENT ON COLUMN ecg_mart.hourly.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.hourly.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.hourly.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.hourly.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.hourly.hour_index IS 'Hours from the start of the recording, from 0.';
COMMENT ON COLUMN ecg_mart.hourly.hour_starts_at IS 'Wall-clock time at which it begins, without time zone; NULL where the file gives no time.';
COMMENT ON COLUMN ecg_mart.hourly.hour_of_day IS 'Hour of the day, 0 to 23, in which it begins; NULL where the file gives no time.';
COMMENT ON COLUMN ecg_mart.hourly.covered_s IS 'Seconds of this hour that were recorded.';
COMMENT ON COLUMN ecg_mart.hourly.n_beats IS 'Beats detected.';
COMMENT ON COLUMN ecg_mart.hourly.n_beats_analysable IS 'Beats in signal good enough to say something of them; all columns below are of these.';
COMMENT ON COLUMN ecg_mart.hourly.n_class_n IS 'Analysable beats of class N, normal or bundle branch block.';
COMMENT ON COLUMN ecg_mart.hourly.n_class_s IS 'Analysable beats of class S, supraventricular ectopic.';
COMMENT ON COLUMN ecg_mart.hourly.n_class_v IS 'Analysable beats of class V, ventricular ectopic.';
COMMENT ON COLUMN ecg_mart.hourly.n_class_f IS 'Analysable beats of class F, fusion of ventricular and normal.';
COMMENT ON COLUMN ecg_mart.hourly.n_class_q IS 'Analysable beats of class Q: paced, unclassifiable or, most often, noise taken for a beat.';
COMMENT ON COLUMN ecg_mart.hourly.ectopic_share IS 'Share of S, V and F among the analysable beats, 0 to 1; NULL where none is analysable.';
COMMENT ON COLUMN ecg_mart.hourly.n_uncertain IS 'Analysable beats whose prediction set is not exactly one class; where scored before there were such sets, beats whose class has a probability below 0.8.';
COMMENT ON COLUMN ecg_mart.hourly.mean_heart_rate_bpm IS 'Mean heart rate, beats per minute, from the mean RR interval; NULL where no interval is known.';
COMMENT ON COLUMN ecg_mart.hourly.min_heart_rate_bpm IS 'Lowest heart rate over 8 RR intervals in a row that end in this hour, beats per minute; NULL where there are none.';
COMMENT ON COLUMN ecg_mart.hourly.max_heart_rate_bpm IS 'Highest heart rate over 8 RR intervals in a row, beats per minute; NULL as the lowest.';
COMMENT ON COLUMN ecg_mart.hourly.mean_class_probability IS 'Mean probability of the class that each beat was given, 0 to 1; NULL where unknown.';
COMMENT ON COLUMN ecg_mart.hourly.mean_deviation_z IS 'Mean of the beats'' deviation_z; NULL where unknown.';
COMMENT ON COLUMN ecg_mart.hourly.is_newest IS 'True for the recording''s newest scoring run of the beats: without it a recording that was scored twice counts twice.';

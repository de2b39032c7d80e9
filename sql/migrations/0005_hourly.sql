-- What an hour of a recording held, written with its beats: questions by hour need not read them.

CREATE TABLE ecg.hourly (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    hour_index integer NOT NULL CHECK (hour_index >= 0),
    n_beats integer NOT NULL CHECK (n_beats > 0),
    n_beats_analysable integer NOT NULL CHECK (n_beats_analysable BETWEEN 0 AND n_beats),
    n_class_n integer NOT NULL CHECK (n_class_n >= 0),
    n_class_s integer NOT NULL CHECK (n_class_s >= 0),
    n_class_v integer NOT NULL CHECK (n_class_v >= 0),
    n_class_f integer NOT NULL CHECK (n_class_f >= 0),
    n_class_q integer NOT NULL CHECK (n_class_q >= 0),
    n_uncertain integer NOT NULL CHECK (n_uncertain BETWEEN 0 AND n_beats_analysable),
    mean_heart_rate_bpm real CHECK (mean_heart_rate_bpm > 0),
    min_heart_rate_bpm real CHECK (min_heart_rate_bpm > 0),
    max_heart_rate_bpm real CHECK (max_heart_rate_bpm > 0),
    mean_class_probability real CHECK (mean_class_probability BETWEEN 0 AND 1),
    mean_deviation_z real,
    PRIMARY KEY (scoring_run_id, hour_index),
    CHECK (n_class_n + n_class_s + n_class_v + n_class_f + n_class_q = n_beats_analysable)
);
COMMENT ON TABLE ecg.hourly IS 'Grain: one hour, from the start of the recording, of one scoring run in which a beat was detected.';
COMMENT ON COLUMN ecg.hourly.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.hourly.hour_index IS 'Hours from the start of the recording, from 0.';
COMMENT ON COLUMN ecg.hourly.n_beats IS 'Beats detected.';
COMMENT ON COLUMN ecg.hourly.n_beats_analysable IS 'Beats in signal good enough to say something of them; all columns below count these.';
COMMENT ON COLUMN ecg.hourly.n_class_n IS 'Beats of class N.';
COMMENT ON COLUMN ecg.hourly.n_class_s IS 'Beats of class S.';
COMMENT ON COLUMN ecg.hourly.n_class_v IS 'Beats of class V.';
COMMENT ON COLUMN ecg.hourly.n_class_f IS 'Beats of class F.';
COMMENT ON COLUMN ecg.hourly.n_class_q IS 'Beats of class Q.';
COMMENT ON COLUMN ecg.hourly.n_uncertain IS 'Beats whose class has a probability below 0.8.';
COMMENT ON COLUMN ecg.hourly.mean_heart_rate_bpm IS 'Mean heart rate, beats per minute, from the mean RR interval; NULL where no interval is known.';
COMMENT ON COLUMN ecg.hourly.min_heart_rate_bpm IS 'Lowest heart rate over 8 RR intervals in a row, all of them known, that end in this hour; NULL where there are none.';
COMMENT ON COLUMN ecg.hourly.max_heart_rate_bpm IS 'Highest heart rate over 8 RR intervals, as min_heart_rate_bpm.';
COMMENT ON COLUMN ecg.hourly.mean_class_probability IS 'Mean probability of the class that each beat was given, 0 to 1; NULL where unknown.';
COMMENT ON COLUMN ecg.hourly.mean_deviation_z IS 'Mean deviation; NULL where unknown.';

INSERT INTO ecg.hourly
WITH told AS (
    SELECT
        beat.*,
        floor(r_time_s / 3600)::integer AS hour_index,
        CASE class
            WHEN 'N' THEN probability_n WHEN 'S' THEN probability_s WHEN 'V' THEN probability_v
            WHEN 'F' THEN probability_f ELSE probability_q
        END AS class_probability,
        CASE WHEN count(rr_prev_ms) OVER last_8 = 8 THEN avg(rr_prev_ms) OVER last_8 END AS mean_of_8_ms
    FROM ecg.beat
    WINDOW last_8 AS (PARTITION BY scoring_run_id ORDER BY beat_index ROWS 7 PRECEDING)
)
SELECT
    scoring_run_id,
    hour_index,
    count(*),
    count(*) FILTER (WHERE analysable),
    count(*) FILTER (WHERE analysable AND class = 'N'),
    count(*) FILTER (WHERE analysable AND class = 'S'),
    count(*) FILTER (WHERE analysable AND class = 'V'),
    count(*) FILTER (WHERE analysable AND class = 'F'),
    count(*) FILTER (WHERE analysable AND class = 'Q'),
    count(*) FILTER (WHERE analysable AND class_probability < 0.8::real),
    60000 / avg(rr_prev_ms),
    60000 / max(mean_of_8_ms),
    60000 / min(mean_of_8_ms),
    least(1, avg(class_probability) FILTER (WHERE analysable)),
    avg(deviation_z) FILTER (WHERE analysable)
FROM told
GROUP BY scoring_run_id, hour_index;

-- What a model version said of a recording: all rows of a scoring run are there, or none.
-- beat and attribution do not refer to each other, so that both can be partitioned later, and attribution has no foreign key
-- at all: checking one for each of its rows made storing a day's recording twice as slow (100,000 beats: 1.5 s, not .75).
-- Its rows are written from the same result and in the same transaction as the beats, which do have one.

CREATE TABLE ecg.scoring_run (
    scoring_run_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recording_id text COLLATE "C" NOT NULL REFERENCES ecg.recording,
    model_version text NOT NULL REFERENCES ecg.model_version,
    scored_by text NOT NULL,
    scored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    n_beats integer NOT NULL CHECK (n_beats >= 0),
    n_beats_analysable integer NOT NULL CHECK (n_beats_analysable BETWEEN 0 AND n_beats),
    n_class_n integer NOT NULL CHECK (n_class_n >= 0),
    n_class_s integer NOT NULL CHECK (n_class_s >= 0),
    n_class_v integer NOT NULL CHECK (n_class_v >= 0),
    n_class_f integer NOT NULL CHECK (n_class_f >= 0),
    n_class_q integer NOT NULL CHECK (n_class_q >= 0),
    mean_heart_rate_bpm real CHECK (mean_heart_rate_bpm > 0),
    min_heart_rate_bpm real CHECK (min_heart_rate_bpm > 0),
    min_heart_rate_at_s double precision,
    max_heart_rate_bpm real CHECK (max_heart_rate_bpm > 0),
    max_heart_rate_at_s double precision,
    analysable_share real NOT NULL CHECK (analysable_share BETWEEN 0 AND 1),
    primary_lead text NOT NULL,
    filters text[] NOT NULL,
    stage_seconds jsonb NOT NULL CHECK (jsonb_typeof(stage_seconds) = 'object'),
    UNIQUE (recording_id, model_version),
    CHECK (n_class_n + n_class_s + n_class_v + n_class_f + n_class_q = n_beats_analysable)
);
CREATE INDEX scoring_run_model_version ON ecg.scoring_run (model_version);
COMMENT ON TABLE ecg.scoring_run IS 'Grain: one recording scored by one model version, with its summary.';
COMMENT ON COLUMN ecg.scoring_run.scoring_run_id IS 'Number of the scoring run; key of its beats.';
COMMENT ON COLUMN ecg.scoring_run.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg.scoring_run.model_version IS 'The version that scored.';
COMMENT ON COLUMN ecg.scoring_run.scored_by IS 'The task or person that scored.';
COMMENT ON COLUMN ecg.scoring_run.scored_at IS 'When its rows were written.';
COMMENT ON COLUMN ecg.scoring_run.n_beats IS 'Beats detected.';
COMMENT ON COLUMN ecg.scoring_run.n_beats_analysable IS 'Beats in signal good enough to say something of them.';
COMMENT ON COLUMN ecg.scoring_run.n_class_n IS 'Analysable beats of class N, normal or bundle branch block.';
COMMENT ON COLUMN ecg.scoring_run.n_class_s IS 'Analysable beats of class S, supraventricular ectopic.';
COMMENT ON COLUMN ecg.scoring_run.n_class_v IS 'Analysable beats of class V, ventricular ectopic.';
COMMENT ON COLUMN ecg.scoring_run.n_class_f IS 'Analysable beats of class F, fusion of ventricular and normal.';
COMMENT ON COLUMN ecg.scoring_run.n_class_q IS 'Analysable beats of class Q, paced or unclassifiable.';
COMMENT ON COLUMN ecg.scoring_run.mean_heart_rate_bpm IS 'Mean heart rate, beats per minute; NULL where too few beats are analysable.';
COMMENT ON COLUMN ecg.scoring_run.min_heart_rate_bpm IS 'Lowest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg.scoring_run.min_heart_rate_at_s IS 'When the heart rate was lowest, seconds from the start.';
COMMENT ON COLUMN ecg.scoring_run.max_heart_rate_bpm IS 'Highest heart rate over 8 RR intervals, beats per minute.';
COMMENT ON COLUMN ecg.scoring_run.max_heart_rate_at_s IS 'When the heart rate was highest, seconds from the start.';
COMMENT ON COLUMN ecg.scoring_run.analysable_share IS 'Share of the primary lead''s epochs that are analysable, 0 to 1.';
COMMENT ON COLUMN ecg.scoring_run.primary_lead IS 'Name of the lead that beats were classified on.';
COMMENT ON COLUMN ecg.scoring_run.filters IS 'What was done to the signal before, in order, in words.';
COMMENT ON COLUMN ecg.scoring_run.stage_seconds IS 'Seconds spent by stage, for instance {"read": 0.4}.';

CREATE TABLE ecg.beat (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    beat_index integer NOT NULL CHECK (beat_index >= 0),
    r_sample bigint NOT NULL CHECK (r_sample >= 0),
    r_time_s double precision NOT NULL CHECK (r_time_s >= 0),
    rr_prev_ms real CHECK (rr_prev_ms > 0 AND rr_prev_ms < 'infinity'),
    rr_next_ms real CHECK (rr_next_ms > 0 AND rr_next_ms < 'infinity'),
    probability_n real CHECK (probability_n BETWEEN 0 AND 1),
    probability_s real CHECK (probability_s BETWEEN 0 AND 1),
    probability_v real CHECK (probability_v BETWEEN 0 AND 1),
    probability_f real CHECK (probability_f BETWEEN 0 AND 1),
    probability_q real CHECK (probability_q BETWEEN 0 AND 1),
    deviation_z real,
    class text NOT NULL CHECK (class IN ('N', 'S', 'V', 'F', 'Q')),
    analysable boolean NOT NULL,
    PRIMARY KEY (scoring_run_id, beat_index)
);
COMMENT ON TABLE ecg.beat IS 'Grain: one detected beat of one scoring run.';
COMMENT ON COLUMN ecg.beat.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.beat.beat_index IS 'Number of the beat in its recording, from 0, in time order.';
COMMENT ON COLUMN ecg.beat.r_sample IS 'R peak: sample number, from 0, at the recording''s own sampling rate.';
COMMENT ON COLUMN ecg.beat.r_time_s IS 'R peak: seconds from the start of the recording.';
COMMENT ON COLUMN ecg.beat.rr_prev_ms IS 'Interval from the R peak before, milliseconds; NULL at the edges and across stretches that are not analysable.';
COMMENT ON COLUMN ecg.beat.rr_next_ms IS 'Interval to the next R peak, milliseconds; NULL at the edges and across stretches that are not analysable.';
COMMENT ON COLUMN ecg.beat.probability_n IS 'Calibrated probability of class N, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_s IS 'Calibrated probability of class S, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_v IS 'Calibrated probability of class V, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_f IS 'Calibrated probability of class F, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_q IS 'Calibrated probability of class Q, 0 to 1.';
COMMENT ON COLUMN ecg.beat.deviation_z IS 'How far the autoencoder''s normal counterpart is from the beat: z-score against the training patients'' normal beats; NULL where unknown.';
COMMENT ON COLUMN ecg.beat.class IS 'Most probable class of ANSI/AAMI EC57: N, S, V, F or Q; claims nothing where analysable is false.';
COMMENT ON COLUMN ecg.beat.analysable IS 'False where the signal is too poor: such a beat is in no count of classes.';

CREATE TABLE ecg.attribution (
    scoring_run_id integer NOT NULL,
    beat_index integer NOT NULL CHECK (beat_index >= 0),
    before_qrs_share real CHECK (before_qrs_share BETWEEN 0 AND 1),
    qrs_share real CHECK (qrs_share BETWEEN 0 AND 1),
    after_qrs_share real CHECK (after_qrs_share BETWEEN 0 AND 1),
    method text NOT NULL CHECK (method <> ''),
    PRIMARY KEY (scoring_run_id, beat_index, method)
);
COMMENT ON TABLE ecg.attribution IS 'Grain: one beat and one method that explains every beat: where on the wave its attribution lies. Shares of a row sum to 1.';
COMMENT ON COLUMN ecg.attribution.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.attribution.beat_index IS 'The beat, as in beat.';
COMMENT ON COLUMN ecg.attribution.before_qrs_share IS 'Share of the absolute attribution from 400 to 60 ms before the R peak, 0 to 1; NULL where the method gives nothing.';
COMMENT ON COLUMN ecg.attribution.qrs_share IS 'Share from 60 ms before to 100 ms after the R peak, 0 to 1; NULL where the method gives nothing.';
COMMENT ON COLUMN ecg.attribution.after_qrs_share IS 'Share from 100 to 624 ms after the R peak, 0 to 1; NULL where the method gives nothing.';
COMMENT ON COLUMN ecg.attribution.method IS 'gradcam or saliency, towards the beat''s class.';

CREATE TABLE ecg.chosen_beat (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    beat_index integer NOT NULL CHECK (beat_index >= 0),
    chosen_reason text NOT NULL CHECK (chosen_reason <> ''),
    waveform_mv real[] NOT NULL,
    counterpart_mv real[] NOT NULL,
    template_mv real[] NOT NULL,
    PRIMARY KEY (scoring_run_id, beat_index),
    CHECK (cardinality(waveform_mv) = cardinality(counterpart_mv)),
    CHECK (cardinality(waveform_mv) = cardinality(template_mv))
);
COMMENT ON TABLE ecg.chosen_beat IS 'Grain: one beat that is shown and explained in full.';
COMMENT ON COLUMN ecg.chosen_beat.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.chosen_beat.beat_index IS 'The beat, as in beat.';
COMMENT ON COLUMN ecg.chosen_beat.chosen_reason IS 'Why it was chosen: most typical, least certain or most deviating of its class.';
COMMENT ON COLUMN ecg.chosen_beat.waveform_mv IS 'The beat after cleaning, millivolts: 256 samples at 250 Hz, R peak at the 101st.';
COMMENT ON COLUMN ecg.chosen_beat.counterpart_mv IS 'The autoencoder''s normal counterpart, millivolts, aligned with waveform_mv.';
COMMENT ON COLUMN ecg.chosen_beat.template_mv IS 'The recording''s dominant beat, millivolts, aligned with waveform_mv.';

CREATE TABLE ecg.attribution_sample (
    scoring_run_id integer NOT NULL,
    beat_index integer NOT NULL,
    method text NOT NULL CHECK (method <> ''),
    sample_values real[] NOT NULL,
    context_values jsonb CHECK (jsonb_typeof(context_values) = 'object'),
    PRIMARY KEY (scoring_run_id, beat_index, method),
    FOREIGN KEY (scoring_run_id, beat_index) REFERENCES ecg.chosen_beat
);
COMMENT ON TABLE ecg.attribution_sample IS 'Grain: one chosen beat and one method: the attribution of each sample.';
COMMENT ON COLUMN ecg.attribution_sample.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.attribution_sample.beat_index IS 'The chosen beat.';
COMMENT ON COLUMN ecg.attribution_sample.method IS 'shap, gradcam or saliency, towards the beat''s class.';
COMMENT ON COLUMN ecg.attribution_sample.sample_values IS 'One value per sample of chosen_beat.waveform_mv: shap in log-odds, signed; gradcam and saliency without unit, from 0 to 1.';
COMMENT ON COLUMN ecg.attribution_sample.context_values IS 'Log-odds that each rhythm feature added, by its name; NULL for methods that say nothing of rhythm.';

CREATE TABLE ecg.rhythm_episode (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    episode_index integer NOT NULL CHECK (episode_index >= 0),
    kind text NOT NULL CHECK (kind IN ('v_couplet', 'v_run', 's_couplet', 's_run', 'bigeminy', 'trigeminy', 'pause', 'bradycardia', 'tachycardia')),
    start_s double precision NOT NULL CHECK (start_s >= 0),
    end_s double precision NOT NULL,
    first_beat_index integer NOT NULL CHECK (first_beat_index >= 0),
    last_beat_index integer NOT NULL,
    heart_rate_bpm real CHECK (heart_rate_bpm > 0),
    PRIMARY KEY (scoring_run_id, episode_index),
    CHECK (end_s >= start_s),
    CHECK (last_beat_index >= first_beat_index)
);
COMMENT ON TABLE ecg.rhythm_episode IS 'Grain: one stretch of beats with a name, in one scoring run. Stretches may overlap.';
COMMENT ON COLUMN ecg.rhythm_episode.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.rhythm_episode.episode_index IS 'Number of the stretch in its scoring run, from 0.';
COMMENT ON COLUMN ecg.rhythm_episode.kind IS 'v_couplet, v_run, s_couplet, s_run, bigeminy, trigeminy, pause, bradycardia or tachycardia.';
COMMENT ON COLUMN ecg.rhythm_episode.start_s IS 'Begin, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.rhythm_episode.end_s IS 'End, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.rhythm_episode.first_beat_index IS 'First beat of the stretch, as in beat.';
COMMENT ON COLUMN ecg.rhythm_episode.last_beat_index IS 'Last beat of the stretch, itself included.';
COMMENT ON COLUMN ecg.rhythm_episode.heart_rate_bpm IS 'Heart rate within it, beats per minute; NULL where it has none.';

CREATE TABLE ecg.signal_quality (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    epoch_index integer NOT NULL CHECK (epoch_index >= 0),
    start_s double precision NOT NULL CHECK (start_s >= 0),
    quality_index real CHECK (quality_index BETWEEN 0 AND 1),
    lead_index smallint NOT NULL CHECK (lead_index >= 0),
    analysable boolean NOT NULL,
    PRIMARY KEY (scoring_run_id, lead_index, epoch_index)
);
COMMENT ON TABLE ecg.signal_quality IS 'Grain: one epoch of one lead in one scoring run (the way of judging belongs to the run).';
COMMENT ON COLUMN ecg.signal_quality.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.signal_quality.epoch_index IS 'Number of the epoch, from 0.';
COMMENT ON COLUMN ecg.signal_quality.start_s IS 'Begin of the epoch, seconds from the start of the recording.';
COMMENT ON COLUMN ecg.signal_quality.quality_index IS '0 (useless) to 1 (clean); NULL where unknown.';
COMMENT ON COLUMN ecg.signal_quality.lead_index IS 'The lead, from 0: its name is recording.lead_names[lead_index + 1].';
COMMENT ON COLUMN ecg.signal_quality.analysable IS 'Good enough to say something of its beats.';

CREATE TABLE ecg.report (
    report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scoring_run_id integer NOT NULL UNIQUE REFERENCES ecg.scoring_run,
    path text NOT NULL CHECK (path <> ''),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.report IS 'Grain: the report of one scoring run. Its row is written last, so what it shows is stored.';
COMMENT ON COLUMN ecg.report.report_id IS 'Number by which the report is asked for.';
COMMENT ON COLUMN ecg.report.scoring_run_id IS 'What it tells of.';
COMMENT ON COLUMN ecg.report.path IS 'Where the HTML file lies, relative to the folder of reports.';
COMMENT ON COLUMN ecg.report.sha256 IS 'SHA-256 of the file, 64 hex digits.';
COMMENT ON COLUMN ecg.report.size_bytes IS 'Size of the file in bytes.';
COMMENT ON COLUMN ecg.report.written_at IS 'When the file was written.';

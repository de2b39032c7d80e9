-- A resting ECG of twelve leads: what was measured, which superclasses, why, and the criteria among the findings.

ALTER TABLE ecg.recording_label ADD COLUMN may_be_absent boolean;
COMMENT ON COLUMN ecg.recording_label.may_be_absent IS 'Whether the answer no remains possible at the coverage that the model version states; NULL where labels exclude each other. In the set and not absent: the label is called; both: inconclusive.';

CREATE TABLE ecg.resting (
    scoring_run_id integer PRIMARY KEY REFERENCES ecg.scoring_run,
    not_measured text CHECK (not_measured <> ''),
    age_years real CHECK (age_years BETWEEN 0 AND 90),
    sex text CHECK (sex IN ('female', 'male')),
    derived_leads text[] NOT NULL,
    turned_leads text[] NOT NULL,
    n_beats integer NOT NULL CHECK (n_beats >= 0),
    n_beats_left_out integer NOT NULL CHECK (n_beats_left_out >= 0),
    rr_ms double precision CHECK (rr_ms > 0),
    wave_columns jsonb NOT NULL,
    median_beat bytea NOT NULL
);
COMMENT ON TABLE ecg.resting IS 'Grain: one scoring run of the task resting: the recording as a resting ECG of twelve leads, or why it is none.';
COMMENT ON COLUMN ecg.resting.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.resting.not_measured IS 'Why it is no resting ECG of twelve leads; NULL where it is one.';
COMMENT ON COLUMN ecg.resting.age_years IS 'Age that limits were chosen by, as the file says, 90 for all above 89; NULL where it says none.';
COMMENT ON COLUMN ecg.resting.sex IS 'Sex that limits were chosen by, as the file says; NULL where it says none.';
COMMENT ON COLUMN ecg.resting.derived_leads IS 'Limb leads that were computed from others.';
COMMENT ON COLUMN ecg.resting.turned_leads IS 'Leads that were recorded upside down, and turned.';
COMMENT ON COLUMN ecg.resting.n_beats IS 'Beats that the median beat is of.';
COMMENT ON COLUMN ecg.resting.n_beats_left_out IS 'Beats of another shape, and those with an artefact.';
COMMENT ON COLUMN ecg.resting.rr_ms IS 'Median interval between R peaks in milliseconds; NULL where there is one beat.';
COMMENT ON COLUMN ecg.resting.wave_columns IS 'By name of a wave''s begin, peak or end: its column in the median beat; null where the wave is absent.';
COMMENT ON COLUMN ecg.resting.median_beat IS 'Millivolts at 250 Hz, little-endian float32, lead after lead: I, II, III, aVR, aVL, aVF, V1 to V6.';

CREATE TABLE ecg.measurement (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    measurement_index smallint NOT NULL CHECK (measurement_index >= 0),
    lead text CHECK (lead <> ''),
    name text NOT NULL CHECK (name <> ''),
    value double precision NOT NULL,
    unit text NOT NULL CHECK (unit IN ('ms', 'mV', 'deg', '1/min', '1')),
    PRIMARY KEY (scoring_run_id, measurement_index)
);
COMMENT ON TABLE ecg.measurement IS 'Grain: one value that a scoring run of the task resting measured on the median beat.';
COMMENT ON COLUMN ecg.measurement.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.measurement.measurement_index IS 'Place of the value, from 0: those of all leads together first.';
COMMENT ON COLUMN ecg.measurement.lead IS 'The lead; NULL where all leads together were measured.';
COMMENT ON COLUMN ecg.measurement.name IS 'What was measured, for instance qrs_duration_ms or j60_mv.';
COMMENT ON COLUMN ecg.measurement.value IS 'The value.';
COMMENT ON COLUMN ecg.measurement.unit IS 'ms, mV, deg, 1/min or 1.';

CREATE TABLE ecg.label_attribution (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    label text NOT NULL CHECK (label <> ''),
    game text NOT NULL CHECK (game IN ('leads', 'waves')),
    player text NOT NULL CHECK (player <> ''),
    value double precision NOT NULL,
    PRIMARY KEY (scoring_run_id, label, game, player)
);
COMMENT ON TABLE ecg.label_attribution IS 'Grain: one player of one game for one label that a scoring run called. Exact Shapley values against the mean normal median beat.';
COMMENT ON COLUMN ecg.label_attribution.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.label_attribution.label IS 'The label, as in recording_label.';
COMMENT ON COLUMN ecg.label_attribution.game IS 'leads (four groups of leads) or waves (P wave, QRS, ST, T wave).';
COMMENT ON COLUMN ecg.label_attribution.player IS 'The group of leads, or the wave.';
COMMENT ON COLUMN ecg.label_attribution.value IS 'By how much it moved the probability of the label.';

ALTER TABLE ecg.finding
    ADD COLUMN leads jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN measured jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN limit_value double precision,
    ADD COLUMN doubts jsonb NOT NULL DEFAULT '[]';
ALTER TABLE ecg.final_finding
    ADD COLUMN leads jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN measured jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN limit_value double precision,
    ADD COLUMN doubts jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN ecg.finding.leads IS 'Of a resting ECG: list of the leads that meet the criterion; empty where it is of all leads, or no criterion.';
COMMENT ON COLUMN ecg.finding.measured IS 'Of a resting ECG: what the finding rests on, objects with lead, name, value and unit.';
COMMENT ON COLUMN ecg.finding.limit_value IS 'Limit that the first value of measured was held against; NULL where there is none.';
COMMENT ON COLUMN ecg.finding.doubts IS 'Of a resting ECG: list of why the finding is doubtful, for instance filter_not_stated; empty where there is none.';
COMMENT ON COLUMN ecg.final_finding.leads IS 'Of a resting ECG: list of the leads that meet the criterion; empty where it is of all leads, or no criterion.';
COMMENT ON COLUMN ecg.final_finding.measured IS 'Of a resting ECG: what the finding rests on, objects with lead, name, value and unit.';
COMMENT ON COLUMN ecg.final_finding.limit_value IS 'Limit that the first value of measured was held against; NULL where there is none.';
COMMENT ON COLUMN ecg.final_finding.doubts IS 'Of a resting ECG: list of why the finding is doubtful, for instance filter_not_stated; empty where there is none.';

-- Beats and what explains them, partitioned by the month in which their recording arrived, so that old ones can be dropped whole.
-- No foreign keys on partitioned tables: attaching a partition would lock scoring_run against every writer, and checking one
-- for each row made storing twice as slow. Their rows are written with their run's in one transaction; sql/checks looks after it.

ALTER TABLE ecg.recording ADD COLUMN arrived_at timestamptz;
UPDATE ecg.recording SET arrived_at = coalesce(
    (SELECT ledger.first_seen_at FROM ecg.ingest_ledger AS ledger WHERE ledger.recording_id = recording.recording_id),
    recording.stored_at
);
ALTER TABLE ecg.recording ALTER COLUMN arrived_at SET NOT NULL;
CREATE INDEX recording_arrived ON ecg.recording (arrived_at);
COMMENT ON COLUMN ecg.recording.arrived_at IS 'When its content first arrived, as in the ledger; when it was stored where it never passed through an inbox.';

ALTER TABLE ecg.scoring_run ADD COLUMN arrived_month date;
UPDATE ecg.scoring_run SET arrived_month = (
    SELECT date_trunc('month', recording.arrived_at AT TIME ZONE 'UTC')::date
    FROM ecg.recording WHERE recording.recording_id = scoring_run.recording_id
);
ALTER TABLE ecg.scoring_run
    ALTER COLUMN arrived_month SET NOT NULL,
    ADD CHECK (extract(day FROM arrived_month) = 1);
CREATE INDEX scoring_run_arrived ON ecg.scoring_run (arrived_month);
CREATE INDEX scoring_run_scored ON ecg.scoring_run (scored_at);
CREATE INDEX ingest_ledger_arrived ON ecg.ingest_ledger (first_seen_at);
CREATE INDEX rhythm_episode_kind ON ecg.rhythm_episode (kind, scoring_run_id);
COMMENT ON COLUMN ecg.scoring_run.arrived_month IS 'First day of the month (UTC) in which the recording arrived: names the partition of its beats.';

ALTER TABLE ecg.beat RENAME TO old_beat;
ALTER TABLE ecg.attribution RENAME TO old_attribution;
ALTER TABLE ecg.chosen_beat RENAME TO old_chosen_beat;
ALTER TABLE ecg.attribution_sample RENAME TO old_attribution_sample;

CREATE TABLE ecg.beat (
    scoring_run_id integer NOT NULL,
    beat_index integer NOT NULL CONSTRAINT beat_index_check CHECK (beat_index >= 0),
    r_sample bigint NOT NULL CONSTRAINT beat_r_sample_check CHECK (r_sample >= 0),
    r_time_s double precision NOT NULL CONSTRAINT beat_r_time_s_check CHECK (r_time_s >= 0),
    arrived_month date NOT NULL,
    rr_prev_ms real CONSTRAINT beat_rr_prev_ms_check CHECK (rr_prev_ms > 0 AND rr_prev_ms < 'infinity'),
    rr_next_ms real CONSTRAINT beat_rr_next_ms_check CHECK (rr_next_ms > 0 AND rr_next_ms < 'infinity'),
    probability_n real CONSTRAINT beat_probability_n_check CHECK (probability_n BETWEEN 0 AND 1),
    probability_s real CONSTRAINT beat_probability_s_check CHECK (probability_s BETWEEN 0 AND 1),
    probability_v real CONSTRAINT beat_probability_v_check CHECK (probability_v BETWEEN 0 AND 1),
    probability_f real CONSTRAINT beat_probability_f_check CHECK (probability_f BETWEEN 0 AND 1),
    probability_q real CONSTRAINT beat_probability_q_check CHECK (probability_q BETWEEN 0 AND 1),
    deviation_z real,
    class text NOT NULL CONSTRAINT beat_class_check CHECK (class IN ('N', 'S', 'V', 'F', 'Q')),
    analysable boolean NOT NULL,
    CONSTRAINT beat_key PRIMARY KEY (scoring_run_id, beat_index, arrived_month)
) PARTITION BY RANGE (arrived_month);
CREATE INDEX beat_abnormal ON ecg.beat (scoring_run_id, class) WHERE class <> 'N' AND analysable;
COMMENT ON TABLE ecg.beat IS 'Grain: one detected beat of one scoring run. Partitioned by the month in which the recording arrived.';
COMMENT ON COLUMN ecg.beat.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.beat.beat_index IS 'Number of the beat in its recording, from 0, in time order.';
COMMENT ON COLUMN ecg.beat.r_sample IS 'R peak: sample number from 0, at the recording''s own rate.';
COMMENT ON COLUMN ecg.beat.r_time_s IS 'R peak: seconds from the start of the recording.';
COMMENT ON COLUMN ecg.beat.arrived_month IS 'First day of the month in which the recording arrived, as in scoring_run: the partition.';
COMMENT ON COLUMN ecg.beat.rr_prev_ms IS 'Interval from the beat before, milliseconds; NULL at the edges and across stretches that are not analysable.';
COMMENT ON COLUMN ecg.beat.rr_next_ms IS 'Interval to the beat after, milliseconds; NULL as rr_prev_ms.';
COMMENT ON COLUMN ecg.beat.probability_n IS 'Calibrated probability of class N, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_s IS 'Calibrated probability of class S, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_v IS 'Calibrated probability of class V, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_f IS 'Calibrated probability of class F, 0 to 1.';
COMMENT ON COLUMN ecg.beat.probability_q IS 'Calibrated probability of class Q, 0 to 1.';
COMMENT ON COLUMN ecg.beat.deviation_z IS 'Autoencoder''s reconstruction error as a z-score against the training patients'' normal beats.';
COMMENT ON COLUMN ecg.beat.class IS 'Most probable class of ANSI/AAMI EC57: N, S, V, F or Q; claims nothing where analysable is false.';
COMMENT ON COLUMN ecg.beat.analysable IS 'False where the signal is too poor: such a beat is in no count of classes.';

CREATE TABLE ecg.attribution (
    scoring_run_id integer NOT NULL,
    beat_index integer NOT NULL CONSTRAINT attribution_index_check CHECK (beat_index >= 0),
    arrived_month date NOT NULL,
    before_qrs_share real CONSTRAINT attribution_before_qrs_check CHECK (before_qrs_share BETWEEN 0 AND 1),
    qrs_share real CONSTRAINT attribution_qrs_check CHECK (qrs_share BETWEEN 0 AND 1),
    after_qrs_share real CONSTRAINT attribution_after_qrs_check CHECK (after_qrs_share BETWEEN 0 AND 1),
    class text NOT NULL CONSTRAINT attribution_class_check CHECK (class IN ('S', 'V', 'F', 'Q')),
    method text NOT NULL CONSTRAINT attribution_method_check CHECK (method <> ''),
    CONSTRAINT attribution_key PRIMARY KEY (scoring_run_id, beat_index, method, arrived_month)
) PARTITION BY RANGE (arrived_month);
COMMENT ON TABLE ecg.attribution IS 'Grain: one abnormal, analysable beat and one method that explains every such beat: where on the wave its attribution lies. Shares of a row sum to 1. Partitioned as beat.';
COMMENT ON COLUMN ecg.attribution.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.attribution.beat_index IS 'The beat, as in beat.';
COMMENT ON COLUMN ecg.attribution.arrived_month IS 'First day of the month in which the recording arrived, as in scoring_run: the partition.';
COMMENT ON COLUMN ecg.attribution.before_qrs_share IS 'Share of the absolute attribution from 400 to 60 ms before the R peak, 0 to 1; NULL where the method gives nothing.';
COMMENT ON COLUMN ecg.attribution.qrs_share IS 'Share from 60 ms before to 100 ms after the R peak, 0 to 1; NULL where the method gives nothing.';
COMMENT ON COLUMN ecg.attribution.after_qrs_share IS 'Share from 100 to 624 ms after the R peak, 0 to 1; NULL where the method gives nothing.';
COMMENT ON COLUMN ecg.attribution.class IS 'The class that is explained: the beat''s own, S, V, F or Q.';
COMMENT ON COLUMN ecg.attribution.method IS 'gradcam or saliency, towards the beat''s class.';

CREATE TABLE ecg.chosen_beat (
    scoring_run_id integer NOT NULL,
    beat_index integer NOT NULL CONSTRAINT chosen_beat_index_check CHECK (beat_index >= 0),
    arrived_month date NOT NULL,
    chosen_reason text NOT NULL CONSTRAINT chosen_beat_reason_check CHECK (chosen_reason <> ''),
    waveform_mv real[] NOT NULL,
    counterpart_mv real[] NOT NULL,
    template_mv real[] NOT NULL,
    CONSTRAINT chosen_beat_key PRIMARY KEY (scoring_run_id, beat_index, arrived_month),
    CONSTRAINT chosen_beat_counterpart_check CHECK (cardinality(waveform_mv) = cardinality(counterpart_mv)),
    CONSTRAINT chosen_beat_template_check CHECK (cardinality(waveform_mv) = cardinality(template_mv))
) PARTITION BY RANGE (arrived_month);
COMMENT ON TABLE ecg.chosen_beat IS 'Grain: one beat that is shown and explained in full. Partitioned as beat.';
COMMENT ON COLUMN ecg.chosen_beat.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.chosen_beat.beat_index IS 'The beat, as in beat.';
COMMENT ON COLUMN ecg.chosen_beat.arrived_month IS 'First day of the month in which the recording arrived, as in scoring_run: the partition.';
COMMENT ON COLUMN ecg.chosen_beat.chosen_reason IS 'Why it was chosen: most typical, least certain or most deviating of its class.';
COMMENT ON COLUMN ecg.chosen_beat.waveform_mv IS 'The beat after cleaning, millivolts: 256 samples at 250 Hz, R peak at the 101st.';
COMMENT ON COLUMN ecg.chosen_beat.counterpart_mv IS 'The autoencoder''s normal counterpart, millivolts, aligned with waveform_mv.';
COMMENT ON COLUMN ecg.chosen_beat.template_mv IS 'The recording''s dominant beat, millivolts, aligned with waveform_mv.';

CREATE TABLE ecg.attribution_sample (
    scoring_run_id integer NOT NULL,
    beat_index integer NOT NULL,
    arrived_month date NOT NULL,
    method text NOT NULL CONSTRAINT attribution_sample_method_check CHECK (method <> ''),
    sample_values real[] NOT NULL,
    context_values jsonb CONSTRAINT attribution_sample_context_check CHECK (jsonb_typeof(context_values) = 'object'),
    CONSTRAINT attribution_sample_key PRIMARY KEY (scoring_run_id, beat_index, method, arrived_month)
) PARTITION BY RANGE (arrived_month);
COMMENT ON TABLE ecg.attribution_sample IS 'Grain: one chosen beat and one method: the attribution of each sample. Partitioned as beat.';
COMMENT ON COLUMN ecg.attribution_sample.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.attribution_sample.beat_index IS 'The chosen beat.';
COMMENT ON COLUMN ecg.attribution_sample.arrived_month IS 'First day of the month in which the recording arrived, as in scoring_run: the partition.';
COMMENT ON COLUMN ecg.attribution_sample.method IS 'shap, gradcam or saliency, towards the beat''s class.';
COMMENT ON COLUMN ecg.attribution_sample.sample_values IS 'One value per sample of chosen_beat.waveform_mv: shap in log-odds, signed; gradcam and saliency without unit, from 0 to 1.';
COMMENT ON COLUMN ecg.attribution_sample.context_values IS 'Log-odds that each rhythm feature added, by its name; NULL for methods that say nothing of rhythm.';

CREATE TABLE ecg.dropped_month (
    arrived_month date PRIMARY KEY CHECK (extract(day FROM arrived_month) = 1),
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.dropped_month IS 'Grain: one month of arrival whose beats and attributions retention has dropped. Summaries and reports stay.';
COMMENT ON COLUMN ecg.dropped_month.arrived_month IS 'First day of the month.';
COMMENT ON COLUMN ecg.dropped_month.dropped_at IS 'When its partitions were dropped.';

-- Runs with its owner's rights: the DAGs' role writes rows and owns no table. A partition is made beside its parent and then
-- attached, which readers and writers of the other months do not notice; CREATE TABLE … PARTITION OF would lock them out.
CREATE FUNCTION ecg.ensure_partitions(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    suffix text := to_char(first_day, '_YYYY_MM');
    parent text;
    child text;
BEGIN
    IF to_regclass(format('ecg.%I', 'attribution_sample' || suffix)) IS NOT NULL THEN
        RETURN;  -- the last that is made, so the others are there
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ecg.ensure_partitions'));
    FOREACH parent IN ARRAY ARRAY['beat', 'attribution', 'chosen_beat', 'attribution_sample'] LOOP
        child := parent || suffix;
        CONTINUE WHEN to_regclass(format('ecg.%I', child)) IS NOT NULL;
        EXECUTE format('CREATE TABLE ecg.%I (LIKE ecg.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', child, parent);
        EXECUTE format(
            'ALTER TABLE ecg.%I ATTACH PARTITION ecg.%I FOR VALUES FROM (%L) TO (%L)',
            parent, child, first_day, (first_day + interval '1 month')::date
        );
        EXECUTE format(
            'COMMENT ON TABLE ecg.%I IS %L', child,
            format('%s Recordings that arrived in %s.', obj_description(format('ecg.%I', parent)::regclass, 'pg_class'), to_char(first_day, 'YYYY-MM'))
        );
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION ecg.ensure_partitions(date) FROM PUBLIC;
COMMENT ON FUNCTION ecg.ensure_partitions(date) IS 'Makes the partitions of a month where they are missing.';

CREATE FUNCTION ecg.drop_partitions_before(month date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT child.relname AS name, to_date(right(child.relname, 7), 'YYYY_MM') AS first_day
        FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid
        JOIN pg_class AS parent ON parent.oid = inhparent
        WHERE parent.relnamespace = 'ecg'::regnamespace
            AND parent.relname IN ('beat', 'attribution', 'chosen_beat', 'attribution_sample')
            AND to_date(right(child.relname, 7), 'YYYY_MM') < date_trunc('month', month)
        ORDER BY first_day, child.relname
    LOOP
        EXECUTE format('DROP TABLE ecg.%I', found.name);
        INSERT INTO ecg.dropped_month (arrived_month) VALUES (found.first_day) ON CONFLICT DO NOTHING;
        RETURN NEXT found.name;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION ecg.drop_partitions_before(date) FROM PUBLIC;
COMMENT ON FUNCTION ecg.drop_partitions_before(date) IS 'Drops the partitions of all earlier months and notes which months they were; gives their names.';

SELECT ecg.ensure_partitions(arrived_month) FROM (SELECT DISTINCT arrived_month FROM ecg.scoring_run) AS months;
SELECT ecg.ensure_partitions((now() AT TIME ZONE 'UTC')::date);

INSERT INTO ecg.beat (
    scoring_run_id, beat_index, r_sample, r_time_s, arrived_month, rr_prev_ms, rr_next_ms,
    probability_n, probability_s, probability_v, probability_f, probability_q, deviation_z, class, analysable
)
SELECT
    old.scoring_run_id, old.beat_index, old.r_sample, old.r_time_s, run.arrived_month, old.rr_prev_ms, old.rr_next_ms,
    old.probability_n, old.probability_s, old.probability_v, old.probability_f, old.probability_q, old.deviation_z,
    old.class, old.analysable
FROM ecg.old_beat AS old JOIN ecg.scoring_run AS run USING (scoring_run_id);
-- Of normal beats no attribution by wave is kept: they would be nine tenths of the table.
INSERT INTO ecg.attribution
SELECT
    old.scoring_run_id, old.beat_index, beat.arrived_month, old.before_qrs_share, old.qrs_share, old.after_qrs_share,
    beat.class, old.method
FROM ecg.old_attribution AS old JOIN ecg.beat USING (scoring_run_id, beat_index)
WHERE beat.class <> 'N' AND beat.analysable;
INSERT INTO ecg.chosen_beat
SELECT
    old.scoring_run_id, old.beat_index, run.arrived_month, old.chosen_reason, old.waveform_mv, old.counterpart_mv,
    old.template_mv
FROM ecg.old_chosen_beat AS old JOIN ecg.scoring_run AS run USING (scoring_run_id);
INSERT INTO ecg.attribution_sample
SELECT old.scoring_run_id, old.beat_index, run.arrived_month, old.method, old.sample_values, old.context_values
FROM ecg.old_attribution_sample AS old JOIN ecg.scoring_run AS run USING (scoring_run_id);

DROP TABLE ecg.old_attribution_sample, ecg.old_chosen_beat, ecg.old_attribution, ecg.old_beat;

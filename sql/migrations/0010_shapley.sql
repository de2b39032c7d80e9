-- Exact Shapley values: of every abnormal beat in a table of their own, since they are signed and by player, not by
-- stretch; of the chosen beats with what else explains these.

CREATE TABLE ecg.shapley (
    scoring_run_id integer NOT NULL,
    beat_index integer NOT NULL CONSTRAINT shapley_beat_index_check CHECK (beat_index >= 0),
    arrived_month date NOT NULL,
    previous_rr real NOT NULL,
    p_wave real NOT NULL,
    pq_segment real NOT NULL,
    qrs real NOT NULL,
    st_segment real NOT NULL,
    t_wave real NOT NULL,
    following_rr real NOT NULL,
    class text NOT NULL CONSTRAINT shapley_class_check CHECK (class IN ('S', 'V', 'F', 'Q')),
    CONSTRAINT shapley_key PRIMARY KEY (scoring_run_id, beat_index, arrived_month)
) PARTITION BY RANGE (arrived_month);
COMMENT ON TABLE ecg.shapley IS 'Grain: one abnormal, analysable beat: log-odds that each clinical player added to its class, against this patient''s normal beat. Where a recording has more of them than the setting explained_abnormal_beats, so many evenly over time. Partitioned as beat.';
COMMENT ON COLUMN ecg.shapley.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.shapley.beat_index IS 'The beat, as in beat.';
COMMENT ON COLUMN ecg.shapley.arrived_month IS 'First day of the month in which the recording arrived, as in scoring_run: the partition.';
COMMENT ON COLUMN ecg.shapley.previous_rr IS 'Log-odds by the interval before the beat, and the rhythm until then.';
COMMENT ON COLUMN ecg.shapley.p_wave IS 'Log-odds by the P wave and what precedes it.';
COMMENT ON COLUMN ecg.shapley.pq_segment IS 'Log-odds by the segment between P and QRS.';
COMMENT ON COLUMN ecg.shapley.qrs IS 'Log-odds by the QRS complex.';
COMMENT ON COLUMN ecg.shapley.st_segment IS 'Log-odds by the segment between QRS and T.';
COMMENT ON COLUMN ecg.shapley.t_wave IS 'Log-odds by the T wave and what follows it.';
COMMENT ON COLUMN ecg.shapley.following_rr IS 'Log-odds by the interval after the beat.';
COMMENT ON COLUMN ecg.shapley.class IS 'The class that is explained: the beat''s own.';

ALTER TABLE ecg.chosen_beat
    ADD COLUMN shapley_values jsonb CONSTRAINT chosen_beat_shapley_check CHECK (jsonb_typeof(shapley_values) = 'object'),
    ADD COLUMN lime_values jsonb CONSTRAINT chosen_beat_lime_check CHECK (jsonb_typeof(lime_values) = 'object'),
    ADD COLUMN wave_deviations jsonb CONSTRAINT chosen_beat_wave_deviations_check CHECK (jsonb_typeof(wave_deviations) = 'object'),
    ADD COLUMN blend jsonb CONSTRAINT chosen_beat_blend_check CHECK (jsonb_typeof(blend) = 'object'),
    ADD COLUMN own_reference boolean NOT NULL DEFAULT true;

-- Partitions that are there already take columns from their parent, but no comments.
DO $$
DECLARE
    part regclass;
    told record;
BEGIN
    FOR part IN
        SELECT 'ecg.chosen_beat'::regclass UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = 'ecg.chosen_beat'::regclass
    LOOP
        FOR told IN
            SELECT * FROM (VALUES
                ('shapley_values', 'Log-odds that each clinical player added, by its name; NULL for scores from before they were computed.'),
                ('lime_values', 'The same by LIME, for comparison.'),
                ('wave_deviations', 'Deviation of each wave, z-score against normal beats, by its name.'),
                ('blend', 'The smallest change toward the normal beat that turns the class: share (0 to 1; null where it never turns), turns_to, and by_player the share with one player changed alone.'),
                ('own_reference', 'Whether shapley_values, lime_values and blend compare with this patient''s own normal beat (false: the population''s).')
            ) AS words (name, sentence)
        LOOP
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', part, told.name, told.sentence);
        END LOOP;
    END LOOP;
END $$;

COMMENT ON COLUMN ecg.attribution_sample.method IS 'shap, integrated_gradients, gradient_x_input, saliency, smoothgrad, gradcam or guided_gradcam, towards the beat''s class.';
COMMENT ON COLUMN ecg.attribution_sample.sample_values IS 'One value per sample of chosen_beat.waveform_mv: shap, integrated_gradients and gradient_x_input in log-odds, signed; the others without unit, from 0 to 1.';

CREATE OR REPLACE FUNCTION ecg.ensure_partitions(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    suffix text := to_char(first_day, '_YYYY_MM');
    parent text;
    child text;
BEGIN
    IF to_regclass(format('ecg.%I', 'shapley' || suffix)) IS NOT NULL THEN
        RETURN;  -- the last that is made, so the others are there
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ecg.ensure_partitions'));
    FOREACH parent IN ARRAY ARRAY['beat', 'attribution', 'chosen_beat', 'attribution_sample', 'shapley'] LOOP
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

CREATE OR REPLACE FUNCTION ecg.drop_partitions_before(month date) RETURNS SETOF text
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
            AND parent.relname IN ('beat', 'attribution', 'chosen_beat', 'attribution_sample', 'shapley')
            AND to_date(right(child.relname, 7), 'YYYY_MM') < date_trunc('month', month)
        ORDER BY first_day, child.relname
    LOOP
        EXECUTE format('DROP TABLE ecg.%I', found.name);
        INSERT INTO ecg.dropped_month (arrived_month) VALUES (found.first_day) ON CONFLICT DO NOTHING;
        RETURN NEXT found.name;
    END LOOP;
END $$;

-- For the months that are there: those that retention dropped stay away.
SELECT ecg.ensure_partitions(to_date(right(relname, 7), 'YYYY_MM'))
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'ecg.beat'::regclass;

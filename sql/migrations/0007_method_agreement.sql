-- How far the methods agree, summed up at scoring: pairing millions of attributions for each question takes too long.

CREATE TABLE ecg.method_agreement (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    class text NOT NULL CHECK (class IN ('S', 'V', 'F', 'Q')),
    one_method text NOT NULL CHECK (one_method <> ''),
    other_method text NOT NULL,
    n_beats integer NOT NULL CHECK (n_beats > 0),
    mean_overlap_share double precision NOT NULL CHECK (mean_overlap_share BETWEEN 0 AND 1),
    same_segment_share double precision NOT NULL CHECK (same_segment_share BETWEEN 0 AND 1),
    PRIMARY KEY (scoring_run_id, class, one_method, other_method),
    CHECK (one_method < other_method)
);
COMMENT ON TABLE ecg.method_agreement IS 'Grain: one class and one pair of methods in one scoring run: how far they agree over the abnormal beats that both explain.';
COMMENT ON COLUMN ecg.method_agreement.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.method_agreement.class IS 'Class of the beats: S, V, F or Q.';
COMMENT ON COLUMN ecg.method_agreement.one_method IS 'The method that comes first in the alphabet.';
COMMENT ON COLUMN ecg.method_agreement.other_method IS 'The other method.';
COMMENT ON COLUMN ecg.method_agreement.n_beats IS 'Beats of that class that both explain.';
COMMENT ON COLUMN ecg.method_agreement.mean_overlap_share IS 'Mean over the beats of how much of the attribution both put into the same segments: 0 nothing, 1 all.';
COMMENT ON COLUMN ecg.method_agreement.same_segment_share IS 'Share of the beats for which both put most into the same segment, 0 to 1.';

INSERT INTO ecg.method_agreement
SELECT
    one.scoring_run_id,
    one.class,
    one.method,
    other.method,
    count(*),
    least(1, avg(
        least(one.before_qrs_share, other.before_qrs_share)::double precision
        + least(one.qrs_share, other.qrs_share) + least(one.after_qrs_share, other.after_qrs_share)
    )),
    avg((
        array_position(
            ARRAY[one.before_qrs_share, one.qrs_share, one.after_qrs_share],
            greatest(one.before_qrs_share, one.qrs_share, one.after_qrs_share)
        ) = array_position(
            ARRAY[other.before_qrs_share, other.qrs_share, other.after_qrs_share],
            greatest(other.before_qrs_share, other.qrs_share, other.after_qrs_share)
        )
    )::integer)
FROM ecg.attribution AS one
JOIN ecg.attribution AS other
    ON other.scoring_run_id = one.scoring_run_id
    AND other.beat_index = one.beat_index
    AND other.arrived_month = one.arrived_month
    AND other.method > one.method
WHERE one.qrs_share IS NOT NULL AND other.qrs_share IS NOT NULL
GROUP BY one.scoring_run_id, one.class, one.method, other.method;

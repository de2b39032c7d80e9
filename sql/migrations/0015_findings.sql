-- A finding is decided once, when the recording is scored, and kept whole: report, mart, worklist and exports read it.

ALTER TABLE ecg.finding RENAME COLUMN tone TO urgency;
ALTER TABLE ecg.finding RENAME CONSTRAINT finding_tone_check TO finding_urgency_check;
ALTER TABLE ecg.finding
    ALTER COLUMN sentence DROP NOT NULL,
    ALTER COLUMN mean_probability TYPE double precision,
    ADD COLUMN n_episodes integer CHECK (n_episodes > 0),
    ADD COLUMN n_beats integer CHECK (n_beats >= 0),
    ADD COLUMN beat_share double precision CHECK (beat_share BETWEEN 0 AND 1),
    ADD COLUMN total_s double precision CHECK (total_s >= 0),
    ADD COLUMN longest_s double precision CHECK (longest_s >= 0),
    ADD COLUMN min_heart_rate_bpm real CHECK (min_heart_rate_bpm > 0),
    ADD COLUMN max_heart_rate_bpm real CHECK (max_heart_rate_bpm > 0),
    ADD COLUMN n_called integer CHECK (n_called >= 0),
    ADD COLUMN n_in_fibrillation integer CHECK (n_in_fibrillation >= 0),
    ADD COLUMN evidence jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(evidence) = 'array');
COMMENT ON TABLE ecg.finding IS 'Grain: one finding of one scoring run, as it was decided at scoring.';
COMMENT ON COLUMN ecg.finding.urgency IS 'urgent, notable, info, or doubt (told as inconclusive).';
COMMENT ON COLUMN ecg.finding.sentence IS 'The finding in plain words, as the report states it; NULL where no report stated it.';
COMMENT ON COLUMN ecg.finding.mean_probability IS 'Mean calibrated probability of the called class over the beats that it rests on, 0 to 1; for atrial_fibrillation that of the stretch that is told; NULL where it rests on times alone.';
COMMENT ON COLUMN ecg.finding.n_uncertain IS 'How many of n_called are uncertain; NULL where it rests on no class.';
COMMENT ON COLUMN ecg.finding.n_episodes IS 'How many stretches; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg.finding.n_beats IS 'Beats of all stretches, those between ectopic ones too; or beats of the class; NULL where it is not one of beats.';
COMMENT ON COLUMN ecg.finding.beat_share IS 'Share of the analysable beats, 0 to 1; for v_beats, s_beats, f_beats and q_beats.';
COMMENT ON COLUMN ecg.finding.total_s IS 'Length of all stretches together in seconds; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg.finding.longest_s IS 'Length of the longest stretch in seconds; NULL where the finding is not one of stretches.';
COMMENT ON COLUMN ecg.finding.min_heart_rate_bpm IS 'Heart rate of the slowest stretch, beats per minute; NULL where none has one.';
COMMENT ON COLUMN ecg.finding.max_heart_rate_bpm IS 'Heart rate of the fastest stretch, beats per minute; NULL where none has one.';
COMMENT ON COLUMN ecg.finding.n_called IS 'Beats whose class it rests on; NULL where it rests on times alone, and where their probabilities are not known.';
COMMENT ON COLUMN ecg.finding.n_in_fibrillation IS 'How many of n_called lie in atrial fibrillation, where no beat is early; NULL for other classes than S.';
COMMENT ON COLUMN ecg.finding.evidence IS 'Stretches that bear it out, the most telling first: objects with start_s, end_s, n_beats and heart_rate_bpm, the last two null where it is no stretch of beats.';

-- What earlier releases kept of a finding was its sentence; the mart worked the rest out at every reading. Here it is
-- worked out once more, by the rules of ecg_core.result.findings.
CREATE TABLE ecg.decided_finding AS
WITH episode AS (
    SELECT
        e.*,
        e.last_beat_index - e.first_beat_index + 1 AS n_beats,
        row_number() OVER (
            PARTITION BY e.scoring_run_id, e.kind
            ORDER BY
                (e.kind = 'atrial_fibrillation' AND coalesce(e.probability, 0) >= 0.8::real) DESC,
                CASE e.kind
                    WHEN 'tachycardia' THEN -e.heart_rate_bpm::double precision
                    WHEN 'bradycardia' THEN e.heart_rate_bpm::double precision
                    WHEN 'pause' THEN e.start_s - e.end_s
                    WHEN 'atrial_fibrillation' THEN e.start_s - e.end_s
                    ELSE e.first_beat_index - e.last_beat_index
                END,
                e.start_s, e.episode_index
        ) AS telling,
        row_number() OVER (
            PARTITION BY e.scoring_run_id, e.kind ORDER BY coalesce(e.heart_rate_bpm, 0) DESC, e.start_s, e.episode_index
        ) AS fastest
    FROM ecg.rhythm_episode AS e
),
ectopic AS (
    SELECT
        beat.scoring_run_id, beat.beat_index, beat.r_time_s, beat.class, beat.analysable,
        CASE beat.class
            WHEN 'S' THEN beat.probability_s
            WHEN 'V' THEN beat.probability_v
            WHEN 'F' THEN beat.probability_f
            WHEN 'Q' THEN beat.probability_q
        END::double precision AS class_probability,
        NOT beat.analysable OR 1 <> CASE
            -- Before there were prediction sets, the classes that were likely at all.
            WHEN beat.prediction_set IS NULL THEN
                (beat.probability_n >= 0.2::real)::integer + (beat.probability_s >= 0.2::real)::integer
                + (beat.probability_v >= 0.2::real)::integer + (beat.probability_f >= 0.2::real)::integer
                + (beat.probability_q >= 0.2::real)::integer
            ELSE bit_count(beat.prediction_set::integer::bit(8))
        END AS uncertain,
        EXISTS (
            SELECT FROM ecg.rhythm_episode AS af
            WHERE af.scoring_run_id = beat.scoring_run_id AND af.kind = 'atrial_fibrillation'
                AND beat.beat_index BETWEEN af.first_beat_index AND af.last_beat_index
        ) AS in_fibrillation
    FROM ecg.scoring_run AS run
    JOIN ecg.beat AS beat ON beat.scoring_run_id = run.scoring_run_id AND beat.arrived_month = run.arrived_month
    WHERE beat.class <> 'N'
),
called AS (
    SELECT lower(class) || '_beats' AS kind, ectopic.* FROM ectopic WHERE analysable
    UNION ALL
    SELECT episode.kind, ectopic.*
    FROM episode
    JOIN ectopic
        ON ectopic.scoring_run_id = episode.scoring_run_id
        AND ectopic.beat_index BETWEEN episode.first_beat_index AND episode.last_beat_index
    WHERE episode.kind IN ('bigeminy', 'trigeminy')
        OR (episode.kind IN ('v_run', 'v_couplet') AND ectopic.class = 'V')
        OR (episode.kind IN ('s_run', 's_couplet') AND ectopic.class = 'S')
),
certainty AS (
    SELECT
        scoring_run_id,
        kind,
        avg(class_probability) AS mean_probability,
        count(*)::integer AS n_called,
        (count(*) FILTER (WHERE uncertain))::integer AS n_uncertain,
        CASE WHEN left(kind, 2) = 's_' THEN (count(*) FILTER (WHERE in_fibrillation))::integer END AS n_in_fibrillation,
        (array_agg(r_time_s ORDER BY class_probability DESC NULLS LAST, beat_index))[1] AS surest_at_s
    FROM called
    GROUP BY scoring_run_id, kind
),
of_episodes AS (
    SELECT
        scoring_run_id,
        kind,
        count(*)::integer AS n_episodes,
        sum(n_beats)::integer AS n_beats,
        sum(end_s - start_s ORDER BY start_s, episode_index) AS total_s,
        max(end_s - start_s) AS longest_s,
        min(heart_rate_bpm) AS min_heart_rate_bpm,
        max(heart_rate_bpm) AS max_heart_rate_bpm,
        max(probability) FILTER (WHERE telling = 1)::double precision AS told_probability,
        jsonb_agg(
            jsonb_build_object(
                'start_s', start_s, 'end_s', end_s, 'n_beats', n_beats, 'heart_rate_bpm', heart_rate_bpm::double precision
            ) ORDER BY telling
        ) FILTER (WHERE telling = 1 OR (fastest = 1 AND kind IN ('v_run', 's_run'))) AS evidence
    FROM episode
    GROUP BY scoring_run_id, kind
),
decided AS (
    SELECT
        of.scoring_run_id, of.kind,
        CASE
            WHEN of.kind IN ('v_run', 'pause') THEN 'urgent'
            WHEN of.kind = 'tachycardia' AND of.max_heart_rate_bpm >= 150 THEN 'urgent'
            WHEN of.kind = 'bradycardia' AND of.min_heart_rate_bpm <= 40 THEN 'urgent'
            WHEN of.kind = 'atrial_fibrillation' AND coalesce(of.told_probability, 0) < 0.8::real THEN 'doubt'
            WHEN of.kind = 's_run' AND certainty.n_in_fibrillation = certainty.n_called THEN 'doubt'
            WHEN of.kind = 's_couplet' THEN 'info'
            ELSE 'notable'
        END AS urgency,
        of.n_episodes, of.n_beats, NULL::double precision AS beat_share,
        of.total_s, of.longest_s, of.min_heart_rate_bpm, of.max_heart_rate_bpm, of.told_probability, of.evidence
    FROM of_episodes AS of
    LEFT JOIN certainty ON certainty.scoring_run_id = of.scoring_run_id AND certainty.kind = of.kind
    UNION ALL
    SELECT
        run.scoring_run_id, burden.kind,
        CASE
            WHEN burden.kind <> 'v_beats' THEN 'info'
            WHEN burden.n >= 10 AND burden.n::double precision / run.n_beats_analysable >= 0.1 THEN 'urgent'
            ELSE 'notable'
        END,
        NULL, burden.n, burden.n::double precision / run.n_beats_analysable, NULL, NULL, NULL, NULL, NULL,
        CASE
            WHEN certainty.surest_at_s IS NULL THEN '[]'
            ELSE jsonb_build_array(jsonb_build_object(
                'start_s', certainty.surest_at_s, 'end_s', certainty.surest_at_s, 'n_beats', NULL, 'heart_rate_bpm', NULL
            ))
        END
    FROM ecg.scoring_run AS run
    CROSS JOIN LATERAL (
        VALUES ('v_beats', run.n_class_v), ('s_beats', run.n_class_s), ('f_beats', run.n_class_f), ('q_beats', run.n_class_q)
    ) AS burden (kind, n)
    LEFT JOIN certainty ON certainty.scoring_run_id = run.scoring_run_id AND certainty.kind = burden.kind
    WHERE burden.n > 0
    UNION ALL
    SELECT scoring_run_id, 'no_analysable_beats', 'doubt', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]'
    FROM ecg.scoring_run
    WHERE n_beats_analysable = 0
    UNION ALL
    SELECT
        run.scoring_run_id, 'poor_signal', 'doubt', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        coalesce(worst.evidence, '[]')
    FROM ecg.scoring_run AS run
    LEFT JOIN LATERAL (
        SELECT jsonb_build_array(jsonb_build_object(
            'start_s', quality.start_s,
            'end_s', quality.start_s + coalesce(second.start_s, 10),
            'n_beats', NULL, 'heart_rate_bpm', NULL
        )) AS evidence
        FROM ecg.signal_quality AS quality
        LEFT JOIN ecg.signal_quality AS second
            ON second.scoring_run_id = quality.scoring_run_id
            AND second.lead_index = quality.lead_index AND second.epoch_index = 1
        WHERE quality.scoring_run_id = run.scoring_run_id
            AND quality.lead_index = run.primary_lead_index AND NOT quality.analysable
        ORDER BY coalesce(quality.quality_index, 0), quality.epoch_index
        LIMIT 1
    ) AS worst ON true
    WHERE run.analysable_share < 0.9::real
)
SELECT
    decided.*, certainty.mean_probability,
    CASE WHEN certainty.mean_probability IS NOT NULL THEN certainty.n_called END AS n_called,
    CASE WHEN certainty.mean_probability IS NOT NULL THEN certainty.n_uncertain END AS n_uncertain,
    CASE WHEN certainty.mean_probability IS NOT NULL THEN certainty.n_in_fibrillation END AS n_in_fibrillation
FROM decided
LEFT JOIN certainty ON certainty.scoring_run_id = decided.scoring_run_id AND certainty.kind = decided.kind;

-- What a report has stated stays: its urgency (of S runs within fibrillation the mart said another), and its doubt.
UPDATE ecg.finding AS finding
SET
    n_episodes = decided.n_episodes,
    n_beats = decided.n_beats,
    beat_share = decided.beat_share,
    total_s = decided.total_s,
    longest_s = decided.longest_s,
    min_heart_rate_bpm = decided.min_heart_rate_bpm,
    max_heart_rate_bpm = decided.max_heart_rate_bpm,
    mean_probability = coalesce(decided.told_probability, decided.mean_probability, finding.mean_probability),
    n_called = decided.n_called,
    n_uncertain = coalesce(finding.n_uncertain, decided.n_uncertain),
    n_in_fibrillation = decided.n_in_fibrillation,
    evidence = decided.evidence
FROM ecg.decided_finding AS decided
WHERE decided.scoring_run_id = finding.scoring_run_id AND decided.kind = finding.kind;

-- Reports of before findings were kept.
WITH added AS (
    INSERT INTO ecg.finding (
        scoring_run_id, finding_index, kind, urgency, n_episodes, n_beats, beat_share, total_s, longest_s,
        min_heart_rate_bpm, max_heart_rate_bpm, mean_probability, n_called, n_uncertain, n_in_fibrillation, evidence
    )
    SELECT
        decided.scoring_run_id,
        row_number() OVER (
            PARTITION BY decided.scoring_run_id
            ORDER BY
                -- In a recording that is mostly unreadable, that it is comes before everything.
                (run.analysable_share < 0.5::real AND decided.kind IN ('no_analysable_beats', 'poor_signal')) DESC,
                array_position('{urgent,notable,doubt,info}'::text[], decided.urgency),
                array_position(ARRAY[
                    'v_run', 'pause', 'tachycardia', 'bradycardia', 'atrial_fibrillation', 'v_couplet', 'bigeminy',
                    'trigeminy', 's_run', 's_couplet', 'v_beats', 's_beats', 'f_beats', 'q_beats',
                    'no_analysable_beats', 'poor_signal'
                ], decided.kind)
        ) - 1,
        decided.kind, decided.urgency, decided.n_episodes, decided.n_beats, decided.beat_share, decided.total_s,
        decided.longest_s, decided.min_heart_rate_bpm, decided.max_heart_rate_bpm,
        coalesce(decided.told_probability, decided.mean_probability),
        decided.n_called, decided.n_uncertain, decided.n_in_fibrillation, decided.evidence
    FROM ecg.decided_finding AS decided
    JOIN ecg.scoring_run AS run ON run.scoring_run_id = decided.scoring_run_id
    WHERE NOT EXISTS (SELECT FROM ecg.finding AS stated WHERE stated.scoring_run_id = decided.scoring_run_id)
    RETURNING scoring_run_id, urgency
)
UPDATE ecg.report AS report
SET urgency = summed.urgency
FROM (
    SELECT
        scoring_run_id,
        least(sum(CASE urgency WHEN 'urgent' THEN 100 WHEN 'notable' THEN 10 WHEN 'doubt' THEN 1 ELSE 0 END), 32767)::smallint
            AS urgency
    FROM added
    GROUP BY scoring_run_id
) AS summed
WHERE summed.scoring_run_id = report.scoring_run_id;

DROP TABLE ecg.decided_finding;
ALTER TABLE ecg.finding DROP COLUMN n;

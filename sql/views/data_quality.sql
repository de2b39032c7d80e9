-- data_quality
-- Grain: one rule of sql/checks at one time it was checked.
-- Sources: ecg.data_quality.
-- Caveats: Rows are counted up to 10,000. Examples hold keys alone.
CREATE OR REPLACE VIEW ecg_mart.data_quality AS
SELECT
    quality.data_quality_id,
    quality.checked_at,
    quality.rule,
    quality.severity,
    quality.scored_since,
    quality.n_rows_broken,
    quality.n_rows_broken = 0 AS passed,
    quality.examples,
    quality.seconds AS duration_s
FROM ecg.data_quality AS quality;

COMMENT ON VIEW ecg_mart.data_quality IS 'Grain: one rule of sql/checks at one time it was checked. Rows are counted up to 10,000. Examples hold keys alone.';
COMMENT ON COLUMN ecg_mart.data_quality.data_quality_id IS 'Number of the check.';
COMMENT ON COLUMN ecg_mart.data_quality.checked_at IS 'When the checks began; the same for all rules of one round.';
COMMENT ON COLUMN ecg_mart.data_quality.rule IS 'Name of the rule: a file of sql/checks.';
COMMENT ON COLUMN ecg_mart.data_quality.severity IS 'severe: the task failed; warning: it was only noted.';
COMMENT ON COLUMN ecg_mart.data_quality.scored_since IS 'Only what was scored from then on was looked at; NULL where everything was.';
COMMENT ON COLUMN ecg_mart.data_quality.n_rows_broken IS 'Rows that break the rule, counted up to 10,000.';
COMMENT ON COLUMN ecg_mart.data_quality.passed IS 'True where no row breaks it.';
COMMENT ON COLUMN ecg_mart.data_quality.examples IS 'The keys of the first 20 of them.';
COMMENT ON COLUMN ecg_mart.data_quality.duration_s IS 'How long the check took, in seconds.';

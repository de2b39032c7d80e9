-- model_metric
-- Grain: one figure of one model version, on one data set, for one class or for all.
-- Sources: ecg.model_version.
-- Caveats: Figures were measured once, when the version was made, on patients that no training touched.
CREATE OR REPLACE VIEW ecg_mart.model_metric AS
SELECT
    version.model_version,
    split_part(figure.key, '.', 1) AS data_set,
    CASE WHEN split_part(figure.key, '.', 3) <> '' THEN split_part(figure.key, '.', 2) END AS class,
    CASE WHEN split_part(figure.key, '.', 3) <> '' THEN split_part(figure.key, '.', 3) ELSE split_part(figure.key, '.', 2) END AS metric,
    CASE WHEN jsonb_typeof(figure.value) = 'number' THEN figure.value::double precision END AS metric_value
FROM ecg.model_version AS version
CROSS JOIN LATERAL jsonb_each(version.figures) AS figure (key, value)
-- The bins of the calibration curve are no figures of a class: they are in ecg.model_version alone.
WHERE split_part(figure.key, '.', 4) = '';

COMMENT ON VIEW ecg_mart.model_metric IS 'Grain: one figure of one model version, on one data set, for one class or for all. Figures were measured once, when the version was made, on patients that no training touched.';
COMMENT ON COLUMN ecg_mart.model_metric.model_version IS 'Name of the version.';
COMMENT ON COLUMN ecg_mart.model_metric.data_set IS 'What it was measured on: deciding, or the name of a test set; explanations for the tests of the explanations, made on the deciding patients.';
COMMENT ON COLUMN ecg_mart.model_metric.class IS 'The class, or of explanations the method; NULL for figures over all classes.';
COMMENT ON COLUMN ecg_mart.model_metric.metric IS 'Which figure, for instance sensitivity, precision, f1, macro_f1, ece.';
COMMENT ON COLUMN ecg_mart.model_metric.metric_value IS 'Its value: a share from 0 to 1 or a correlation from -1 to 1, a count where metric is n, a speed where it is beats_per_second; NULL where it is undefined.';

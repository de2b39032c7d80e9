-- How sure was the model of the beats where reviewers disagreed, against those where they agreed?
-- Each reviewer's newest answer on each beat counts. Grain: model version × class given by the model × answer.
-- Reads the beats that were reviewed, by their key.
SELECT
    review.model_version,
    review.model_class,
    review.agrees,
    count(*) AS n_answers,
    avg(review.class_probability) AS mean_class_probability,
    min(review.class_probability) AS min_class_probability,
    avg((review.class_probability < 0.8)::integer) AS uncertain_share,
    array_agg(DISTINCT review.corrected_class) FILTER (WHERE review.corrected_class IS NOT NULL) AS corrected_to
FROM ecg_mart.review
WHERE review.subject = 'beat' AND review.is_newest AND review.agrees IS NOT NULL
GROUP BY review.model_version, review.model_class, review.agrees
ORDER BY review.model_version, review.model_class, review.agrees;

-- review
-- Grain: one answer of one reviewer on one subject of a reading.
-- Sources: ecg.review, ecg.reading_run, ecg.scoring_run, ecg.recording, ecg.beat.
-- Caveats: Answers are never changed; is_newest marks the one that counts where a reviewer answered again. Free text and names of reviewers are left out.
CREATE OR REPLACE VIEW ecg_mart.review AS
SELECT
    review.review_id,
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    run.arrived_month,
    review.reviewer_id,
    review.reviewed_at,
    review.subject,
    review.finding,
    review.beat_index,
    review.start_s,
    review.end_s,
    coalesce(review.agrees, review.corrected_class = beat.class, CASE WHEN review.no_beat THEN false END) AS agrees,
    beat.class AS model_class,
    CASE beat.class
        WHEN 'N' THEN beat.probability_n
        WHEN 'S' THEN beat.probability_s
        WHEN 'V' THEN beat.probability_v
        WHEN 'F' THEN beat.probability_f
        WHEN 'Q' THEN beat.probability_q
    END AS class_probability,
    review.corrected_class,
    review.signed,
    NOT EXISTS (
        SELECT FROM ecg.review AS later
        WHERE later.reading_id = review.reading_id
            AND later.reviewer_id = review.reviewer_id
            AND later.review_id > review.review_id
            AND (later.subject, later.finding, later.beat_index, later.start_s, later.end_s)
            IS NOT DISTINCT FROM (review.subject, review.finding, review.beat_index, review.start_s, review.end_s)
    ) AS is_newest,
    review.reading_id,
    review.no_beat,
    review.rhythm
FROM ecg.review AS review
JOIN ecg.reading_run AS part ON part.reading_id = review.reading_id AND part.task = 'beats'
JOIN ecg.scoring_run AS run ON run.scoring_run_id = part.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id
LEFT JOIN ecg.beat AS beat
    ON beat.scoring_run_id = run.scoring_run_id
    AND beat.beat_index = review.beat_index
    AND beat.arrived_month = run.arrived_month;

COMMENT ON VIEW ecg_mart.review IS 'Grain: one answer of one reviewer on one subject of a reading. Answers are never changed; is_newest marks the one that counts where a reviewer answered again. Free text and names of reviewers are left out.';
COMMENT ON COLUMN ecg_mart.review.review_id IS 'Number of the answer, in the order in which they came.';
COMMENT ON COLUMN ecg_mart.review.scoring_run_id IS 'Number of the scoring run of the beats.';
COMMENT ON COLUMN ecg_mart.review.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.review.patient_pseudonym IS 'Whose heart, as a keyed hash; NULL where the file names no patient.';
COMMENT ON COLUMN ecg_mart.review.model_version IS 'The model version that scored.';
COMMENT ON COLUMN ecg_mart.review.arrived_month IS 'First day of the month (UTC) in which the recording arrived. Name it in WHERE to read that month''s partition alone.';
COMMENT ON COLUMN ecg_mart.review.reviewer_id IS 'Number that stands for the reviewer.';
COMMENT ON COLUMN ecg_mart.review.reviewed_at IS 'When.';
COMMENT ON COLUMN ecg_mart.review.subject IS 'What the answer is about: recording, finding, beat, added_beat (one that the model missed) or interval.';
COMMENT ON COLUMN ecg_mart.review.finding IS 'Name of the finding, as in ecg_mart.finding; NULL for other subjects.';
COMMENT ON COLUMN ecg_mart.review.beat_index IS 'The beat, as in ecg_mart.beat; NULL for other subjects.';
COMMENT ON COLUMN ecg_mart.review.start_s IS 'Begin of the interval, or time of the added beat, seconds from the start of the recording; NULL for other subjects.';
COMMENT ON COLUMN ecg_mart.review.end_s IS 'End of the interval, or time of the added beat, seconds from the start of the recording; NULL for other subjects.';
COMMENT ON COLUMN ecg_mart.review.agrees IS 'Whether the reviewer agrees with what the model said: as answered, or as their class for a beat is the model''s; NULL where they did not say.';
COMMENT ON COLUMN ecg_mart.review.model_class IS 'Class that the model gave the beat; NULL for other subjects, and where retention dropped it.';
COMMENT ON COLUMN ecg_mart.review.class_probability IS 'How sure the model was of it, 0 to 1; NULL as model_class.';
COMMENT ON COLUMN ecg_mart.review.corrected_class IS 'Class that the reviewer gave; NULL where none was given.';
COMMENT ON COLUMN ecg_mart.review.signed IS 'True where the reviewer signed the whole recording.';
COMMENT ON COLUMN ecg_mart.review.is_newest IS 'True for this reviewer''s newest answer on the subject.';
COMMENT ON COLUMN ecg_mart.review.reading_id IS 'Number of the reading that was reviewed.';
COMMENT ON COLUMN ecg_mart.review.no_beat IS 'True where the reviewer says that there is no beat.';
COMMENT ON COLUMN ecg_mart.review.rhythm IS 'What the reviewer calls the interval: a kind of episode, sinus or noise; NULL where it is not named.';

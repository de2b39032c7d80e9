-- A reading: what is said of one recording by one set of model versions, one a task. Report, findings and answers belong
-- to it; scoring runs are its parts. So far every scoring run of the task beats makes one, with the runs of other tasks
-- that its report shows.

CREATE TABLE ecg.reading (
    reading_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recording_id text COLLATE "C" NOT NULL REFERENCES ecg.recording,
    versions jsonb NOT NULL CHECK (jsonb_typeof(versions) = 'object' AND versions <> '{}'),
    first_made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (recording_id, versions)
);
COMMENT ON TABLE ecg.reading IS 'Grain: one recording by one set of model versions, one a task.';
COMMENT ON COLUMN ecg.reading.reading_id IS 'Number of the reading; key of its report, findings and answers.';
COMMENT ON COLUMN ecg.reading.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg.reading.versions IS 'Model version by task: with the recording, what the reading is known by.';
COMMENT ON COLUMN ecg.reading.first_made_at IS 'When it was first written.';

CREATE TABLE ecg.reading_run (
    reading_id integer NOT NULL REFERENCES ecg.reading,
    task text NOT NULL CHECK (task <> ''),
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    PRIMARY KEY (reading_id, task)
);
CREATE INDEX reading_run_scoring_run ON ecg.reading_run (scoring_run_id);
COMMENT ON TABLE ecg.reading_run IS 'Grain: one scoring run of a reading, one a task.';
COMMENT ON COLUMN ecg.reading_run.reading_id IS 'The reading.';
COMMENT ON COLUMN ecg.reading_run.task IS 'What the model was asked, as in scoring_run.';
COMMENT ON COLUMN ecg.reading_run.scoring_run_id IS 'The scoring run.';

-- Readings of what is there take the numbers of their scoring runs, so that no row of report, finding and review changes.
-- A report shows of each other task the newest run that there was when it was drawn.
INSERT INTO ecg.reading (reading_id, recording_id, versions, first_made_at) OVERRIDING SYSTEM VALUE
SELECT
    beats.scoring_run_id,
    beats.recording_id,
    jsonb_build_object('beats', beats.model_version) || coalesce(shown.versions, '{}'),
    beats.scored_at
FROM ecg.scoring_run AS beats
LEFT JOIN ecg.report AS report ON report.scoring_run_id = beats.scoring_run_id
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(newest.task, newest.model_version) AS versions
    FROM (
        SELECT DISTINCT ON (other.task) other.task, other.model_version
        FROM ecg.scoring_run AS other
        WHERE other.recording_id = beats.recording_id
            AND other.task <> 'beats'
            AND other.scored_at <= coalesce(report.written_at, beats.scored_at)
        ORDER BY other.task, other.scoring_run_id DESC
    ) AS newest
) AS shown ON true
WHERE beats.task = 'beats'
ORDER BY beats.scoring_run_id;
INSERT INTO ecg.reading_run (reading_id, task, scoring_run_id)
SELECT reading.reading_id, run.task, run.scoring_run_id
FROM ecg.reading AS reading
JOIN ecg.scoring_run AS run
    ON run.recording_id = reading.recording_id AND reading.versions ->> run.task = run.model_version
ORDER BY reading.reading_id, run.task;
SELECT setval(pg_get_serial_sequence('ecg.reading', 'reading_id'), max(reading_id)) FROM ecg.reading HAVING max(reading_id) > 0;

ALTER TABLE ecg.report RENAME COLUMN scoring_run_id TO reading_id;
ALTER TABLE ecg.report RENAME CONSTRAINT report_scoring_run_id_key TO report_reading_id_key;
ALTER TABLE ecg.report
    DROP CONSTRAINT report_scoring_run_id_fkey,
    ADD CONSTRAINT report_reading_id_fkey FOREIGN KEY (reading_id) REFERENCES ecg.reading;
COMMENT ON TABLE ecg.report IS 'Grain: the report of one reading. Its row is written last, so what it shows is stored.';
COMMENT ON COLUMN ecg.report.reading_id IS 'The reading; it has one report.';

ALTER TABLE ecg.finding RENAME COLUMN scoring_run_id TO reading_id;
ALTER TABLE ecg.finding
    DROP CONSTRAINT finding_scoring_run_id_fkey,
    ADD CONSTRAINT finding_reading_id_fkey FOREIGN KEY (reading_id) REFERENCES ecg.reading;
COMMENT ON TABLE ecg.finding IS 'Grain: one finding of one reading, as it was decided at scoring.';
COMMENT ON COLUMN ecg.finding.reading_id IS 'The reading.';

ALTER TABLE ecg.review RENAME COLUMN scoring_run_id TO reading_id;
ALTER TABLE ecg.review
    DROP CONSTRAINT review_scoring_run_id_fkey,
    ADD CONSTRAINT review_reading_id_fkey FOREIGN KEY (reading_id) REFERENCES ecg.reading;
ALTER INDEX ecg.review_run RENAME TO review_reading;
COMMENT ON TABLE ecg.review IS 'Grain: one answer of one reviewer on one subject of a reading. Never changed: another answer is another row, and the newest counts.';
COMMENT ON COLUMN ecg.review.reading_id IS 'The reading that was reviewed.';

-- How well each lead could be read, once a scoring run: a question about leads reads no stretch of theirs.

CREATE TABLE ecg.lead_quality (
    scoring_run_id integer NOT NULL REFERENCES ecg.scoring_run,
    lead_index smallint NOT NULL CHECK (lead_index >= 0),
    n_epochs integer NOT NULL CHECK (n_epochs > 0),
    analysable_share double precision NOT NULL CHECK (analysable_share BETWEEN 0 AND 1),
    mean_quality_index double precision CHECK (mean_quality_index BETWEEN 0 AND 1),
    PRIMARY KEY (scoring_run_id, lead_index)
);
COMMENT ON TABLE ecg.lead_quality IS 'Grain: one lead in one scoring run: ecg.signal_quality, summed up when it is written.';
COMMENT ON COLUMN ecg.lead_quality.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg.lead_quality.lead_index IS 'The lead, from 0: its name is recording.lead_names[lead_index + 1].';
COMMENT ON COLUMN ecg.lead_quality.n_epochs IS 'Epochs that were judged.';
COMMENT ON COLUMN ecg.lead_quality.analysable_share IS 'Share of them in which the lead can be read, 0 to 1.';
COMMENT ON COLUMN ecg.lead_quality.mean_quality_index IS 'Mean quality index, 0 to 1; NULL where it is not known.';

INSERT INTO ecg.lead_quality
SELECT scoring_run_id, lead_index, count(*), avg(analysable::integer), least(avg(quality_index), 1)
FROM ecg.signal_quality
GROUP BY scoring_run_id, lead_index;

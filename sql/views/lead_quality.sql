-- lead_quality
-- Grain: one lead of one recording, as one model version judged it.
-- Sources: ecg.lead_quality, ecg.scoring_run, ecg.recording.
-- Caveats: Over stretches of some seconds from the start; none of a recording whose quality was dropped with its beats.
CREATE OR REPLACE VIEW ecg_mart.lead_quality AS
SELECT
    run.scoring_run_id,
    run.recording_id,
    recording.patient_pseudonym,
    run.model_version,
    quality.lead_index,
    recording.lead_names[quality.lead_index + 1] AS lead_name,
    quality.n_epochs AS n_stretches,
    quality.analysable_share,
    quality.mean_quality_index AS mean_quality_share,
    run.scoring_run_id = (SELECT max(newer.scoring_run_id) FROM ecg.scoring_run AS newer WHERE newer.recording_id = run.recording_id AND newer.task = 'beats') AS is_newest
FROM ecg.lead_quality AS quality
JOIN ecg.scoring_run AS run ON run.scoring_run_id = quality.scoring_run_id
JOIN ecg.recording AS recording ON recording.recording_id = run.recording_id;

COMMENT ON VIEW ecg_mart.lead_quality IS 'Grain: one lead of one recording, as one model version judged it.';
COMMENT ON COLUMN ecg_mart.lead_quality.scoring_run_id IS 'The scoring run.';
COMMENT ON COLUMN ecg_mart.lead_quality.recording_id IS 'The recording.';
COMMENT ON COLUMN ecg_mart.lead_quality.patient_pseudonym IS 'The person; NULL where the file names none.';
COMMENT ON COLUMN ecg_mart.lead_quality.model_version IS 'The version that scored it.';
COMMENT ON COLUMN ecg_mart.lead_quality.lead_index IS 'Place of the lead in the file, from 0.';
COMMENT ON COLUMN ecg_mart.lead_quality.lead_name IS 'The lead, under one spelling.';
COMMENT ON COLUMN ecg_mart.lead_quality.n_stretches IS 'Stretches that were judged.';
COMMENT ON COLUMN ecg_mart.lead_quality.analysable_share IS 'Share of them in which the lead can be read, 0 to 1.';
COMMENT ON COLUMN ecg_mart.lead_quality.mean_quality_share IS 'Mean quality index, 0 to 1; NULL where it is not known.';
COMMENT ON COLUMN ecg_mart.lead_quality.is_newest IS 'True for the newest scoring run of the recording.';

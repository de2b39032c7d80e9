-- Which recordings changed class between two model versions?
-- Compares each recording's newest scoring run with every earlier one; the largest change of the ectopic share first.
-- Grain: recording × earlier model version. Reads the recording grain.
SELECT
    newer.recording_id,
    older.model_version AS older_version,
    newer.model_version AS newer_version,
    older.leading_class AS older_class,
    newer.leading_class AS newer_class,
    older.ectopic_share AS older_ectopic_share,
    newer.ectopic_share AS newer_ectopic_share
FROM ecg_mart.score AS newer
JOIN ecg_mart.score AS older
    ON older.recording_id = newer.recording_id AND older.scoring_run_id < newer.scoring_run_id
WHERE newer.is_newest AND older.leading_class IS DISTINCT FROM newer.leading_class
ORDER BY abs(newer.ectopic_share - older.ectopic_share) DESC NULLS LAST, newer.recording_id, older.model_version;

-- Which recordings changed class between two model versions?
-- Compares each recording's newest scoring run with every earlier one; those that changed first, by how much. A recording
-- that one version alone has scored has no older one. Grain: recording × earlier model version. Reads the recording grain.
SELECT
    newer.recording_id,
    older.model_version AS older_version,
    newer.model_version AS newer_version,
    older.leading_class AS older_class,
    newer.leading_class AS newer_class,
    older.ectopic_share AS older_ectopic_share,
    newer.ectopic_share AS newer_ectopic_share,
    older.scoring_run_id IS NOT NULL AND older.leading_class IS DISTINCT FROM newer.leading_class AS changed
FROM ecg_mart.score AS newer
LEFT JOIN ecg_mart.score AS older
    ON older.recording_id = newer.recording_id AND older.scoring_run_id < newer.scoring_run_id
WHERE newer.is_newest
ORDER BY changed DESC, abs(newer.ectopic_share - older.ectopic_share) DESC NULLS LAST, newer.recording_id, older.model_version;

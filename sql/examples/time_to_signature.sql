-- How long does it take until a report is signed, by site?
-- From arrival to the signature that holds now. Grain: site (NULL where it is not known). Reads the recording grain.
SELECT
    score_final.site,
    count(*) AS n_recordings,
    count(score_final.signed_at) FILTER (WHERE score_final.signature_holds) AS n_signed,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM score_final.signed_at - recording.arrived_at) / 3600)
        FILTER (WHERE score_final.signature_holds) AS median_h
FROM ecg_mart.score_final
JOIN ecg_mart.recording USING (recording_id)
WHERE score_final.is_newest
GROUP BY score_final.site
ORDER BY score_final.site;

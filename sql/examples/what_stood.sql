-- What stood of each recording at a moment, and has it changed since?
-- The moment here is now; write another in its place, for instance timestamptz '2026-11-30 12:00+00'. What was signed by then
-- counts, else what the model said. Grain: recording. Reads the recording grain.
SELECT DISTINCT ON (score_final.recording_id)
    score_final.recording_id,
    score_final.state,
    score_final.holds_since,
    score_final.signature_holds,
    score_final.n_beats_changed,
    score_final.n_class_v,
    score_final.ventricular_share,
    NOT score_final.is_newest AS changed_since
FROM ecg_mart.score_final
WHERE score_final.holds_since <= now() AND (score_final.holds_until > now() OR score_final.holds_until IS NULL)
ORDER BY score_final.recording_id, score_final.reading_id DESC;

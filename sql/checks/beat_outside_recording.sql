-- A beat lies within its recording.
-- Severity: severe
SELECT beat.scoring_run_id, beat.beat_index, beat.r_sample, recording.n_samples
FROM ecg.beat AS beat
JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month)
JOIN ecg.recording AS recording USING (recording_id)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND (beat.r_sample >= recording.n_samples OR beat.r_time_s > recording.duration_s)

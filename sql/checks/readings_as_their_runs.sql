-- A reading has one scoring run of its recording for each of its model versions.
-- Severity: severe
SELECT reading.reading_id, reading.recording_id
FROM ecg.reading AS reading
WHERE (%(since)s::timestamptz IS NULL OR reading.first_made_at >= %(since)s)
    AND reading.versions IS DISTINCT FROM (
        SELECT jsonb_object_agg(part.task, run.model_version)
        FROM ecg.reading_run AS part
        JOIN ecg.scoring_run AS run ON run.scoring_run_id = part.scoring_run_id
        WHERE part.reading_id = reading.reading_id AND run.recording_id = reading.recording_id AND run.task = part.task
    )

-- Intervals are such as hearts have: PR 40 to 600 ms, QRS 20 to 400 ms, QT 100 to 900 ms and longer than QRS, shorter than to the next QRS.
-- Severity: warning
SELECT beat.scoring_run_id, beat.beat_index, beat.pr_ms, beat.qrs_duration_ms, beat.qt_ms, beat.rr_next_ms
FROM ecg.beat AS beat
JOIN ecg.scoring_run AS run USING (scoring_run_id, arrived_month)
WHERE (%(since)s::timestamptz IS NULL OR run.scored_at >= %(since)s)
    AND (
        beat.pr_ms NOT BETWEEN 40 AND 600
        OR beat.qrs_duration_ms NOT BETWEEN 20 AND 400
        OR beat.qt_ms NOT BETWEEN 100 AND 900
        OR beat.qt_ms <= beat.qrs_duration_ms
        OR beat.qt_ms >= beat.rr_next_ms + 100
    )

-- recording_doubt
-- Grain: one thing that is doubtful in a recording's file, though it could be read.
-- Sources: ecg.recording_doubt.
-- Caveats: A recording without rows gave no cause for doubt, or was stored before doubts were kept.
CREATE OR REPLACE VIEW ecg_mart.recording_doubt AS
SELECT recording_id, place, code, text
FROM ecg.recording_doubt;

COMMENT ON VIEW ecg_mart.recording_doubt IS 'Grain: one thing that is doubtful in a recording''s file, though it could be read. A recording without rows gave no cause for doubt, or was stored before doubts were kept.';
COMMENT ON COLUMN ecg_mart.recording_doubt.recording_id IS 'The recording: SHA-256 of its content, 64 hex digits.';
COMMENT ON COLUMN ecg_mart.recording_doubt.place IS 'Order in which it is told, from 0.';
COMMENT ON COLUMN ecg_mart.recording_doubt.code IS 'checksum, derived, gain, gap, left_out, length, sampling_rate, start_time or text_left_out.';
COMMENT ON COLUMN ecg_mart.recording_doubt.text IS 'The same in a sentence.';

-- The table's comment had stayed behind the view's, and told of an older measure.

COMMENT ON COLUMN ecg.beat.deviation_z IS 'How far shape and timing are from what the autoencoder would have drawn: z-score against the training patients'' normal beats; NULL where unknown.';

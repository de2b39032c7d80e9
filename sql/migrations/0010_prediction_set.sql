-- Which classes remain possible for a beat at the coverage that its model version states (conformal prediction sets).

ALTER TABLE ecg.beat ADD COLUMN prediction_set smallint CHECK (prediction_set BETWEEN 0 AND 31);
COMMENT ON COLUMN ecg.beat.prediction_set IS 'The classes that remain possible at the coverage that the model version states, as the sum of N 1, S 2, V 4, F 8, Q 16; NULL where it was scored before there were such sets.';
COMMENT ON COLUMN ecg.hourly.n_uncertain IS 'Analysable beats whose prediction set is not exactly one class; where scored before there were such sets, beats whose class has a probability below 0.8.';
COMMENT ON COLUMN ecg.finding.n_uncertain IS 'How many of those beats are inconclusive (the prediction set is not exactly one class; where scored before there were such sets, probability below 0.8); NULL where it rests on no class.';

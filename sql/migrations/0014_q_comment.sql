-- Since version cnn-20261122-f4d9bd5f the classifier has learned in noise, and calls Q what noise makes.

COMMENT ON COLUMN ecg.scoring_run.n_class_q IS 'Analysable beats of class Q: paced, unclassifiable or, most often, noise taken for a beat.';

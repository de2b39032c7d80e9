-- How probable atrial fibrillation is, by 30 s, and the stretches of it.

ALTER TABLE ecg.scoring_run ADD COLUMN af_probability real[] CHECK (array_position(af_probability, 'NaN') IS NULL);
COMMENT ON COLUMN ecg.scoring_run.af_probability IS 'Probability of atrial fibrillation in each 30 s from the start, 0 to 1; elements are NULL where too few beats are analysable; NULL where it was scored before this was looked for.';

ALTER TABLE ecg.rhythm_episode
    DROP CONSTRAINT rhythm_episode_kind_check,
    ADD CONSTRAINT rhythm_episode_kind_check CHECK (kind IN ('v_couplet', 'v_run', 's_couplet', 's_run', 'bigeminy', 'trigeminy', 'pause', 'bradycardia', 'tachycardia', 'atrial_fibrillation')),
    ADD COLUMN probability real CHECK (probability BETWEEN 0 AND 1);
COMMENT ON COLUMN ecg.rhythm_episode.kind IS 'v_couplet, v_run, s_couplet, s_run, bigeminy, trigeminy, pause, bradycardia, tachycardia or atrial_fibrillation.';
COMMENT ON COLUMN ecg.rhythm_episode.probability IS 'Mean probability over its windows of 30 s, for atrial_fibrillation; NULL for stretches that are counted from beats.';

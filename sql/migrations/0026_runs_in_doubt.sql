-- Runs whose beats are in doubt are told apart from those that are sure.

ALTER TABLE ecg.rhythm_episode
    DROP CONSTRAINT rhythm_episode_kind_check,
    ADD CONSTRAINT rhythm_episode_kind_check CHECK (kind IN ('v_couplet', 'v_run', 's_couplet', 's_run', 'bigeminy', 'trigeminy', 'pause', 'bradycardia', 'tachycardia', 'atrial_fibrillation', 'vf', 'vt', 'possible_vf', 'possible_vt', 'possible_v_run', 'wide_complex_tachycardia', 'escape', 'svt', 'idioventricular', 'standstill_unclear', 'pacing', 'lost_contact'));
COMMENT ON COLUMN ecg.rhythm_episode.kind IS 'v_couplet, v_run, s_couplet, s_run, bigeminy, trigeminy, pause, bradycardia, tachycardia, atrial_fibrillation, vf, vt, possible_vf, possible_vt, possible_v_run, wide_complex_tachycardia, escape, svt, idioventricular, standstill_unclear, pacing, lost_contact.';

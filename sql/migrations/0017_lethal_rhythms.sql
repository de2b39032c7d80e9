-- What is found in the signal itself: ventricular rhythms, standstill, lost contact, spikes; rhythms named by rate and width.

ALTER TABLE ecg.rhythm_episode
    DROP CONSTRAINT rhythm_episode_kind_check,
    ADD CONSTRAINT rhythm_episode_kind_check CHECK (kind IN ('v_couplet', 'v_run', 's_couplet', 's_run', 'bigeminy', 'trigeminy', 'pause', 'bradycardia', 'tachycardia', 'atrial_fibrillation', 'vf', 'vt', 'possible_vf', 'possible_vt', 'wide_complex_tachycardia', 'escape', 'svt', 'idioventricular', 'standstill_unclear', 'pacing', 'lost_contact'));
COMMENT ON COLUMN ecg.rhythm_episode.kind IS 'v_couplet, v_run, s_couplet, s_run, bigeminy, trigeminy, pause, bradycardia, tachycardia, atrial_fibrillation, vf, vt, possible_vf, possible_vt, wide_complex_tachycardia, escape, svt, idioventricular, standstill_unclear, pacing, lost_contact.';
COMMENT ON COLUMN ecg.rhythm_episode.probability IS 'Mean probability, for atrial_fibrillation over its windows of 30 s, for vf, vt and their possible ones over its seconds; NULL for stretches that are counted from beats or told by rules.';

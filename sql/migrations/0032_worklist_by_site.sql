-- The worklist names the sites that there are, and finds their recordings.

CREATE INDEX recording_site ON ecg.recording (site) WHERE site IS NOT NULL;

-- Which key a pseudonym was made with: keys can be replaced, and the patients that are known keep their names.

ALTER TABLE ecg.patient ADD COLUMN key_id text CHECK (key_id ~ '^[0-9a-f]{8}$');
COMMENT ON COLUMN ecg.patient.key_id IS 'First 8 hex digits of the SHA-256 of the key that the pseudonym was made with; NULL for patients from before keys were told apart.';

-- The findings of a resting ECG in the words of a language model, where one was asked and its answer held.
ALTER TABLE ecg.resting ADD COLUMN generated_text text CHECK (generated_text <> '');
COMMENT ON COLUMN ecg.resting.generated_text IS 'The findings as a language model rephrased them, checked against them; NULL where the template stands.';

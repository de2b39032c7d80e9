-- When a reader answered is not theirs to say: neither before nor after the server's own time.

CREATE FUNCTION ecg.answers_are_dated_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'ecg_reviewer' AND abs(extract(epoch FROM NEW.reviewed_at - clock_timestamp())) > 60 THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: an answer is dated when it is given';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ecg.answers_are_dated_now() IS 'Refuses a reviewer''s answer that is dated otherwise than now.';
CREATE TRIGGER answers_are_dated_now BEFORE INSERT ON ecg.review FOR EACH ROW EXECUTE FUNCTION ecg.answers_are_dated_now();

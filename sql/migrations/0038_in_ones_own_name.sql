-- In whose name a reviewer's session writes, and when, is not the session's to say: it shows a claim made with a key that
-- ecg_reviewer cannot read, and that holds for this person, this session and this minute. Who may read the key (owner,
-- writer) is not asked; the writer may not add answers.

CREATE TABLE ecg.answer_key (
    key bytea NOT NULL CHECK (octet_length(key) = 32),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ecg.answer_key IS 'Grain: the one key that claims to answer in a person''s name are made with.';
COMMENT ON COLUMN ecg.answer_key.key IS '32 random bytes; not for whoever answers.';
COMMENT ON COLUMN ecg.answer_key.made_at IS 'When.';
INSERT INTO ecg.answer_key (key) VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

CREATE FUNCTION ecg.acts_for() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    claim text[] := regexp_match(current_setting('ecg.acts_for', true), '^([0-9a-f]{64}) ([0-9]{1,12}) (.+)$');
    secret bytea := (SELECT key FROM ecg.answer_key);
    said bytea := convert_to(format('%s %s %s', pg_backend_pid(), claim[2], claim[3]), 'UTF8');
BEGIN
    IF encode(sha256(secret || sha256(secret || said)), 'hex') = claim[1]
        AND abs(extract(epoch FROM transaction_timestamp()) - claim[2]::bigint) <= 60 THEN
        RETURN claim[3];
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ecg.acts_for() IS 'For whom this transaction acts, by the claim in its setting ecg.acts_for; NULL where there is none that holds.';

CREATE FUNCTION ecg.in_ones_own_name() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who text;
    moment timestamptz;
BEGIN
    IF has_table_privilege('ecg.answer_key', 'SELECT') THEN
        RETURN NEW;
    END IF;
    IF TG_TABLE_NAME = 'review' THEN
        who := (SELECT user_name FROM ecg.reviewer WHERE reviewer_id = NEW.reviewer_id);
        moment := NEW.reviewed_at;
    ELSIF TG_TABLE_NAME = 'audit' THEN
        who := CASE WHEN NEW.action <> 'moved' THEN NEW.user_name END;
        moment := NEW.happened_at;
    ELSE
        who := CASE WHEN OLD.acknowledged_by IS NULL THEN NEW.acknowledged_by END;
        moment := NEW.acknowledged_at;
    END IF;
    IF (who = ecg.acts_for()) IS NOT TRUE THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: one answers in one''s own name';
    END IF;
    IF (abs(extract(epoch FROM moment - clock_timestamp())) <= 60) IS NOT TRUE THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: an answer is dated when it is given';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ecg.in_ones_own_name() IS 'Refuses what a reviewer''s session writes in the name of somebody for whom it does not act, or dates otherwise than now.';
DROP TRIGGER answers_are_dated_now ON ecg.review;
DROP FUNCTION ecg.answers_are_dated_now();
CREATE TRIGGER in_ones_own_name BEFORE INSERT ON ecg.review FOR EACH ROW EXECUTE FUNCTION ecg.in_ones_own_name();
CREATE TRIGGER in_ones_own_name BEFORE INSERT ON ecg.audit FOR EACH ROW EXECUTE FUNCTION ecg.in_ones_own_name();
CREATE TRIGGER in_ones_own_name BEFORE UPDATE OF acknowledged_by, acknowledged_at ON ecg.outbox_message
    FOR EACH ROW EXECUTE FUNCTION ecg.in_ones_own_name();

CREATE FUNCTION ecg.as_was_signed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whole ecg.final_reading;
BEGIN
    IF has_table_privilege('ecg.answer_key', 'SELECT') THEN
        RETURN NEW;
    END IF;
    IF TG_TABLE_NAME = 'final_reading' THEN
        IF abs(extract(epoch FROM NEW.holds_since - clock_timestamp())) <= 60 AND EXISTS (
            SELECT FROM ecg.review
            WHERE review.reading_id = NEW.reading_id AND review.reviewer_id = NEW.signed_by
                AND review.reviewed_at = NEW.signed_at AND review.signed
        ) THEN
            RETURN NEW;
        END IF;
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: what stands was signed, by who is named and when';
    END IF;
    SELECT * INTO whole FROM ecg.final_reading WHERE final_reading.final_id = NEW.final_id;
    IF (whole.holds_since >= transaction_timestamp()) IS NOT TRUE THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: what stood before is not added to';
    END IF;
    IF TG_TABLE_NAME <> 'final_finding' THEN
        IF NEW.reviewer_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM ecg.review WHERE review.reading_id = whole.reading_id AND review.reviewer_id = NEW.reviewer_id
        ) THEN
            RAISE insufficient_privilege USING MESSAGE = 'permission denied: who is named has not answered';
        END IF;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION ecg.as_was_signed() IS 'Refuses final values of a reviewer''s session that name who has not signed, or are added to what stood before.';
CREATE TRIGGER as_was_signed BEFORE INSERT ON ecg.final_reading FOR EACH ROW EXECUTE FUNCTION ecg.as_was_signed();
CREATE TRIGGER as_was_signed BEFORE INSERT ON ecg.final_beat FOR EACH ROW EXECUTE FUNCTION ecg.as_was_signed();
CREATE TRIGGER as_was_signed BEFORE INSERT ON ecg.final_episode FOR EACH ROW EXECUTE FUNCTION ecg.as_was_signed();
CREATE TRIGGER as_was_signed BEFORE INSERT ON ecg.final_finding FOR EACH ROW EXECUTE FUNCTION ecg.as_was_signed();

-- The four roles, for a user who may create roles. Harmless where they are there.
-- ecg_owner owns the schemas (migrations); ecg_writer is the DAGs'; ecg_reviewer writes reviews; ecg_analyst reads ecg_mart alone.
-- The DAGs and the review form act as theirs: they sign in as it, or as whoever migrated and then SET ROLE.
-- All but the owner may sign in, but have no password until an administrator gives one (ALTER ROLE ecg_analyst PASSWORD '…'):
-- settings such as the statement timeout belong to the role that signs in, and are not inherited by its members.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['ecg_owner', 'ecg_writer', 'ecg_reviewer', 'ecg_analyst'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I %s', wanted, CASE WHEN wanted = 'ecg_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
        END IF;
    END LOOP;
    -- Whoever migrates acts for the owner. A superuser does so without being a member.
    IF NOT pg_has_role(current_user, 'ecg_owner', 'USAGE') THEN
        EXECUTE format('GRANT ecg_owner TO %I WITH INHERIT TRUE, SET TRUE', current_user);
    END IF;
    FOREACH wanted IN ARRAY ARRAY['ecg_writer', 'ecg_reviewer'] LOOP
        IF NOT pg_has_role(current_user, wanted, 'SET') THEN
            EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', wanted, current_user);
        END IF;
    END LOOP;
END $$;
ALTER ROLE ecg_analyst SET statement_timeout = '60s';
ALTER ROLE ecg_analyst SET idle_in_transaction_session_timeout = '10min';
ALTER ROLE ecg_analyst SET default_transaction_read_only = on;
ALTER ROLE ecg_analyst SET search_path = ecg_mart;
-- Those settings hold for who does not change them; `ecg watch` ends what takes longer, and this is no setting.
ALTER ROLE ecg_analyst CONNECTION LIMIT 20;
ALTER ROLE ecg_reviewer SET statement_timeout = '60s';
COMMENT ON ROLE ecg_owner IS 'ECG platform: owns the schemas; migrations act as it.';
COMMENT ON ROLE ecg_writer IS 'ECG platform: the DAGs; adds rows and partitions, owns and drops nothing but old partitions.';
COMMENT ON ROLE ecg_reviewer IS 'ECG platform: adds reviews, reads what the worklist shows.';
COMMENT ON ROLE ecg_analyst IS 'ECG platform: reads ecg_mart alone, at most 60 s a statement.';

-- What each role may do in this database; for the owner of its objects. Harmless where it is granted already.

-- Nobody by default.
REVOKE ALL ON SCHEMA ecg, ecg_mart FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA ecg, ecg_mart FROM PUBLIC;

GRANT USAGE ON SCHEMA ecg, ecg_mart TO ecg_writer;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA ecg TO ecg_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA ecg_mart TO ecg_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA ecg TO ecg_writer;
-- A recording that is scored again keeps the newest signal alone.
GRANT DELETE ON ecg.recording_signal TO ecg_writer;
-- What was registered, or taken away, is no entry of an inbox any more.
GRANT DELETE ON ecg.inbox_entry TO ecg_writer;
-- What was told long ago is dropped after its retention.
GRANT DELETE ON ecg.outbox_message, ecg.outbox_delivery TO ecg_writer;
GRANT EXECUTE ON FUNCTION ecg.ensure_partitions(date) TO ecg_writer;
-- Only the owner drops what is past its time: whoever scores must not be able to empty the beats.
REVOKE EXECUTE ON FUNCTION ecg.drop_partitions_before(date) FROM ecg_writer;
-- What happened is not changed afterwards.
REVOKE UPDATE ON ecg.audit FROM ecg_writer;
-- Reviews belong to reviewers, and the history of the schema to the owner.
REVOKE INSERT, UPDATE ON ecg.review, ecg.reviewer, ecg.answer_key, ecg.final_reading, ecg.final_beat, ecg.final_episode, ecg.final_finding, ecg.schema_migration, ecg.installed_file, ecg.dropped_month FROM ecg_writer;

GRANT USAGE ON SCHEMA ecg, ecg_mart TO ecg_reviewer;
GRANT SELECT ON ALL TABLES IN SCHEMA ecg_mart TO ecg_reviewer;
GRANT SELECT ON ecg.reading, ecg.reading_run, ecg.report, ecg.finding, ecg.scoring_run, ecg.beat, ecg.rhythm_episode, ecg.hourly, ecg.model_version, ecg.training_run TO ecg_reviewer;
-- Names of leads as a file spells them can hold a person's name.
REVOKE SELECT ON ecg.recording FROM ecg_reviewer;
GRANT SELECT (recording_id, patient_pseudonym, source_format, lead_names, sampling_rate_hz, n_samples, duration_s, start_time, start_utc_offset_s, device, synthetic, stored_at, arrived_at, age_years, sex, pacemaker, fingerprint, site) ON ecg.recording TO ecg_reviewer;
GRANT SELECT, INSERT ON ecg.review, ecg.reviewer TO ecg_reviewer;
-- What stands after an answer is worked out from beats, quality and labels, and written with it.
GRANT SELECT ON ecg.signal_quality, ecg.resting, ecg.measurement, ecg.label_attribution, ecg.recording_label, ecg.recording_stretch, ecg.device_statement, ecg.recording_doubt TO ecg_reviewer;
GRANT SELECT, INSERT ON ecg.final_reading, ecg.final_beat, ecg.final_episode, ecg.final_finding TO ecg_reviewer;
GRANT UPDATE (urgency, priority, priority_kind, priority_new) ON ecg.report TO ecg_reviewer;
-- Who opened what is entered, and never changed.
GRANT SELECT, INSERT ON ecg.audit TO ecg_reviewer;
-- A reader says that they have seen a notice, and changes nothing else of it.
GRANT SELECT ON ecg.outbox_message TO ecg_reviewer;
GRANT UPDATE (acknowledged_at, acknowledged_by) ON ecg.outbox_message TO ecg_reviewer;

GRANT USAGE ON SCHEMA ecg_mart TO ecg_analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA ecg_mart TO ecg_analyst;

-- Tables of a session's own and large objects are writing too, which no default_transaction_read_only holds back.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea), lo_unlink(oid) FROM PUBLIC;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'only an administrator can take temporary tables and large objects from PUBLIC';
END $$;

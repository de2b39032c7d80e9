-- What somebody must be told: one outbox for alerts to operations, notices of urgent findings, and deliveries to systems.

CREATE TABLE ecg.outbox_message (
    message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind <> ''),
    dedupe_key text NOT NULL CHECK (dedupe_key <> ''),
    severity text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    site text,
    subject text NOT NULL CHECK (subject <> ''),
    body text NOT NULL,
    payload jsonb,
    reading_id integer REFERENCES ecg.reading,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    n_raised integer NOT NULL DEFAULT 1 CHECK (n_raised > 0),
    ended_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    escalated_at timestamptz,
    CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);
CREATE INDEX outbox_message_key ON ecg.outbox_message (dedupe_key, message_id);
CREATE INDEX outbox_message_open ON ecg.outbox_message (created_at) WHERE acknowledged_at IS NULL AND ended_at IS NULL;
COMMENT ON TABLE ecg.outbox_message IS 'Grain: one thing that somebody must be told. It holds no name and no identifier of a patient.';
COMMENT ON COLUMN ecg.outbox_message.message_id IS 'Number of the message.';
COMMENT ON COLUMN ecg.outbox_message.kind IS 'What it is about, for instance run_failed or urgent_finding; rules and runbooks go by it.';
COMMENT ON COLUMN ecg.outbox_message.dedupe_key IS 'What makes it the same as another: while one of this key is open, raising it again only counts.';
COMMENT ON COLUMN ecg.outbox_message.severity IS 'critical, warning or info.';
COMMENT ON COLUMN ecg.outbox_message.site IS 'Site that it concerns, for the rules; NULL where it concerns none.';
COMMENT ON COLUMN ecg.outbox_message.subject IS 'One line.';
COMMENT ON COLUMN ecg.outbox_message.body IS 'What happened and what mends it, in sentences.';
COMMENT ON COLUMN ecg.outbox_message.payload IS 'What a system is sent beside the sentences, as JSON; NULL for messages to people.';
COMMENT ON COLUMN ecg.outbox_message.reading_id IS 'The reading that it is about; NULL where it is about none.';
COMMENT ON COLUMN ecg.outbox_message.created_at IS 'When it was first raised.';
COMMENT ON COLUMN ecg.outbox_message.raised_at IS 'When it was last raised.';
COMMENT ON COLUMN ecg.outbox_message.n_raised IS 'How often it was raised.';
COMMENT ON COLUMN ecg.outbox_message.ended_at IS 'When its cause was found gone; NULL while it holds, and for what does not end by itself.';
COMMENT ON COLUMN ecg.outbox_message.acknowledged_at IS 'When a person said that they have seen it; NULL before.';
COMMENT ON COLUMN ecg.outbox_message.acknowledged_by IS 'Who did.';
COMMENT ON COLUMN ecg.outbox_message.escalated_at IS 'When it was passed on because nobody acknowledged it; NULL where it was not.';

CREATE TABLE ecg.outbox_delivery (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id bigint NOT NULL REFERENCES ecg.outbox_message ON DELETE CASCADE,
    channel text NOT NULL CHECK (channel <> ''),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz,
    error text,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX outbox_delivery_due ON ecg.outbox_delivery (due_at) WHERE state = 'waiting';
CREATE INDEX outbox_delivery_message ON ecg.outbox_delivery (message_id);
COMMENT ON TABLE ecg.outbox_delivery IS 'Grain: one message on its way through one channel, once.';
COMMENT ON COLUMN ecg.outbox_delivery.delivery_id IS 'Number of the delivery; a receiver may tell by it that it got the same twice.';
COMMENT ON COLUMN ecg.outbox_delivery.message_id IS 'The message.';
COMMENT ON COLUMN ecg.outbox_delivery.channel IS 'Name of the channel, as in ECG_CHANNELS; its address is not in the database.';
COMMENT ON COLUMN ecg.outbox_delivery.state IS 'waiting, sent, or dead: given up after so many attempts, a person must look.';
COMMENT ON COLUMN ecg.outbox_delivery.attempts IS 'How often sending was begun.';
COMMENT ON COLUMN ecg.outbox_delivery.due_at IS 'When it is tried next; while it is being sent, when another process may take it over.';
COMMENT ON COLUMN ecg.outbox_delivery.sent_at IS 'When the channel took it; NULL before.';
COMMENT ON COLUMN ecg.outbox_delivery.error IS 'Why the last attempt failed, in a sentence without the channel''s address; NULL where none did.';

CREATE TABLE ecg.sign_of_life (
    part text PRIMARY KEY CHECK (part <> ''),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    facts jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE ecg.sign_of_life IS 'Grain: one part of the platform that gives signs of life, and the last one.';
COMMENT ON COLUMN ecg.sign_of_life.part IS 'inbox (it was looked at), backup (one was made), or worker and the name of one.';
COMMENT ON COLUMN ecg.sign_of_life.seen_at IS 'When it was last given.';
COMMENT ON COLUMN ecg.sign_of_life.facts IS 'What it said of itself, as JSON.';

-- The waveform extension of the OMOP CDM, after the specification of OHDSI's Waveform Working Group (2025).
-- One thing differs: the window of a feature is a TIMESTAMP, not a TIME, since a recording may go on past midnight.

CREATE TABLE IF NOT EXISTS waveform_occurrence (
    waveform_occurrence_id integer PRIMARY KEY,
    waveform_occurrence_concept_id integer NOT NULL REFERENCES concept,
    person_id integer NOT NULL REFERENCES person,
    waveform_occurrence_start_datetime timestamp NOT NULL,
    waveform_occurrence_end_datetime timestamp NOT NULL,
    visit_occurrence_id integer NOT NULL REFERENCES visit_occurrence,
    visit_detail_id integer REFERENCES visit_detail,
    preceding_waveform_occurrence_id integer REFERENCES waveform_occurrence,
    waveform_format_concept_id integer REFERENCES concept,
    waveform_occurrence_source_value varchar(255),
    num_of_files integer CHECK (num_of_files >= 0),
    waveform_format_source_value varchar(50),
    CHECK (waveform_occurrence_end_datetime >= waveform_occurrence_start_datetime)
);

CREATE TABLE IF NOT EXISTS waveform_registry (
    waveform_registry_id integer PRIMARY KEY,
    waveform_occurrence_id integer NOT NULL REFERENCES waveform_occurrence,
    waveform_feature_id integer,
    person_id integer NOT NULL REFERENCES person,
    waveform_file_start_datetime timestamp NOT NULL,
    waveform_file_end_datetime timestamp NOT NULL,
    visit_occurrence_id integer NOT NULL REFERENCES visit_occurrence,
    visit_detail_id integer REFERENCES visit_detail,
    file_extension_concept_id integer REFERENCES concept,
    file_extension_source_value varchar(50) NOT NULL,
    waveform_source_file_uri varchar(1000),
    waveform_target_file_uri varchar(1000) NOT NULL UNIQUE,
    CHECK (waveform_file_end_datetime >= waveform_file_start_datetime)
);

CREATE TABLE IF NOT EXISTS waveform_channel_metadata (
    waveform_channel_metadata_id integer PRIMARY KEY,
    waveform_registry_id integer NOT NULL REFERENCES waveform_registry,
    procedure_occurrence_id integer REFERENCES procedure_occurrence,
    device_exposure_id integer REFERENCES device_exposure,
    waveform_channel_source_value varchar(50),
    channel_concept_id integer NOT NULL REFERENCES concept,
    metadata_source_value varchar(50) NOT NULL,
    metadata_concept_id integer NOT NULL REFERENCES concept,
    value_as_number double precision,
    value_as_concept_id integer REFERENCES concept,
    value_as_string varchar(255),
    unit_concept_id integer REFERENCES concept,
    unit_source_value varchar(50),
    CHECK (num_nonnulls(value_as_number, value_as_concept_id, value_as_string) > 0)
);

CREATE TABLE IF NOT EXISTS waveform_feature (
    waveform_feature_id integer PRIMARY KEY,
    waveform_occurrence_id integer NOT NULL REFERENCES waveform_occurrence,
    waveform_registry_id integer NOT NULL REFERENCES waveform_registry,
    waveform_channel_metadata_id integer NOT NULL REFERENCES waveform_channel_metadata,
    measurement_id integer REFERENCES measurement,
    observation_id integer REFERENCES observation,
    algorithm_concept_id integer NOT NULL REFERENCES concept,
    algorithm_source_value varchar(255),
    anatomic_site_concept_id integer REFERENCES concept,
    waveform_feature_start_timestamp timestamp,
    waveform_feature_end_timestamp timestamp,
    is_feature_overflow boolean,
    value_as_number double precision,
    value_as_concept_id integer REFERENCES concept,
    value_as_string varchar(255),
    value_is_a_registry_file boolean,
    unit_concept_id integer REFERENCES concept,
    unit_source_value varchar(50),
    CHECK (num_nonnulls(value_as_number, value_as_concept_id, value_as_string) > 0),
    CHECK (waveform_feature_end_timestamp >= waveform_feature_start_timestamp)
);

CREATE INDEX IF NOT EXISTS waveform_occurrence_person ON waveform_occurrence (person_id);
CREATE INDEX IF NOT EXISTS waveform_registry_occurrence ON waveform_registry (waveform_occurrence_id);
CREATE INDEX IF NOT EXISTS waveform_channel_metadata_registry ON waveform_channel_metadata (waveform_registry_id);
CREATE INDEX IF NOT EXISTS waveform_feature_occurrence ON waveform_feature (waveform_occurrence_id);

-- The index: what exists. Natural keys are DICOM's; `pk` is ours. Forward only; a deploy never drops a table.

CREATE TABLE patient (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The key (issuer, identifier). Issuer: the object's, else the sender's, else the edge's name.
    -- Identifier: the patient id, else the StudyInstanceUID (`identifier_is_study`), so that nobody is merged wrongly.
    issuer text NOT NULL,
    identifier text NOT NULL,
    identifier_is_study boolean NOT NULL,
    patient_name text,
    patient_id text,
    issuer_of_patient_id text,
    patient_birth_date date,
    patient_sex text,
    unparsed jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (issuer, identifier, identifier_is_study)
);

CREATE TABLE study (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_pk bigint NOT NULL REFERENCES patient,
    study_instance_uid text NOT NULL,
    accession_number text,
    issuer_of_accession_number_sequence jsonb,
    study_id text,
    study_date date,
    study_time time,
    study_description text,
    referring_physician_name text,
    consulting_physician_name text[],
    name_of_physicians_reading_study text[],
    procedure_code_sequence jsonb,
    requesting_service text,
    specific_character_set text[],
    modalities_in_study text[] NOT NULL DEFAULT '{}',
    number_of_study_related_series integer NOT NULL DEFAULT 0,
    number_of_study_related_instances integer NOT NULL DEFAULT 0,
    unparsed jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (patient_pk, study_instance_uid)
);
CREATE INDEX study_by_uid ON study (study_instance_uid);
CREATE INDEX study_by_accession ON study (accession_number);

CREATE TABLE series (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_pk bigint NOT NULL REFERENCES study,
    series_instance_uid text NOT NULL,
    modality text,
    series_number integer,
    series_date date,
    series_time time,
    series_description text,
    series_description_code_sequence jsonb,
    instance_coercion_date_time text,
    performing_physician_name text[],
    performing_physician_identification_sequence jsonb,
    anatomical_orientation_type text,
    body_part_examined text,
    protocol_name text,
    patient_position text,
    manufacturer text,
    manufacturer_model_name text,
    station_name text,
    number_of_series_related_instances integer NOT NULL DEFAULT 0,
    unparsed jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (study_pk, series_instance_uid)
);
CREATE INDEX series_by_uid ON series (series_instance_uid);

CREATE TABLE instance (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_pk bigint NOT NULL REFERENCES series,
    sop_instance_uid text NOT NULL,
    sop_class_uid text NOT NULL,
    transfer_syntax_uid text NOT NULL,
    instance_number integer,
    instance_creation_date date,
    instance_creation_time time,
    image_type text[],
    image_orientation_patient double precision[],
    image_position_patient double precision[],
    acquisition_date date,
    acquisition_time time,
    content_date date,
    acquisition_number integer,
    anatomic_region_sequence jsonb,
    patient_orientation text[],
    image_comments text,
    burned_in_annotation text,
    recognizable_visual_features text,
    presentation_lut_shape text,
    icon_image_sequence boolean,
    samples_per_pixel integer,
    photometric_interpretation text,
    number_of_frames integer,
    rows integer,
    columns integer,
    bits_allocated integer,
    high_bit integer,
    pixel_representation integer,
    rescale_intercept double precision,
    rescale_slope double precision,
    unparsed jsonb NOT NULL DEFAULT '{}',
    -- The current version: where it came from, and its bytes.
    edge text NOT NULL,
    transfer_id uuid NOT NULL,
    sequence bigint NOT NULL,
    key text NOT NULL,
    bytes bigint NOT NULL,
    file_sha256 text NOT NULL,
    dataset_sha256 text NOT NULL,
    received_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (series_pk, sop_instance_uid)
);
CREATE INDEX instance_by_uid ON instance (sop_instance_uid);

-- The part of one series in one transfer: the unit of work, with its claim and its outcome.
CREATE TABLE series_transfer (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id uuid NOT NULL,
    series_instance_uid text NOT NULL,
    study_instance_uid text NOT NULL,
    series_pk bigint REFERENCES series,
    correlation_id text NOT NULL,
    edge text NOT NULL,
    sequence bigint NOT NULL,
    after uuid[] NOT NULL DEFAULT '{}',
    modality text,
    priority smallint NOT NULL DEFAULT 0, -- 0 live, 1 bulk; an operator may raise with a lower number
    bucket text NOT NULL,
    prefix text NOT NULL,
    manifest_key text NOT NULL,
    manifest_sha256 text NOT NULL,
    instance_count integer NOT NULL,
    total_bytes bigint NOT NULL,
    calling_ae text NOT NULL,
    called_ae text NOT NULL,
    aborted boolean NOT NULL,
    seal_reason text NOT NULL,
    first_received_at timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    sealed_at timestamptz NOT NULL,
    announced_at timestamptz NOT NULL,
    -- The claim: every later write says WHERE owner_execution = me AND fence = mine.
    owner_execution text,
    fence bigint NOT NULL DEFAULT 0,
    claimed_at timestamptz,
    indexed_at timestamptz,
    objects_found integer,
    objects_extra jsonb NOT NULL DEFAULT '[]',
    -- The outcome, said of one data store.
    state text NOT NULL DEFAULT 'CLAIMED' CHECK (state IN ('CLAIMED', 'INDEXED', 'IMPORTING', 'OVER')),
    datastore_id text,
    outcome text CHECK (outcome IN ('COMPLETED', 'DUPLICATE', 'SUPERSEDED', 'NON_PRIMARY', 'PARTIAL', 'FAILED',
                                    'UNKNOWN', 'INDEXED')),
    outcome_detail text,
    scanned integer NOT NULL DEFAULT 0,
    imported integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    warned integer NOT NULL DEFAULT 0,
    over_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (transfer_id, series_instance_uid)
);
CREATE INDEX series_transfer_by_series ON series_transfer (series_instance_uid);
CREATE INDEX series_transfer_by_study ON series_transfer (study_instance_uid);
CREATE INDEX series_transfer_by_owner ON series_transfer (owner_execution);
CREATE INDEX series_transfer_not_over ON series_transfer (created_at) WHERE state <> 'OVER';
CREATE INDEX series_transfer_by_day ON series_transfer (edge, sealed_at);

-- One version of one instance: what one transfer carried, and what became of it.
CREATE TABLE instance_transfer (
    series_transfer_pk bigint NOT NULL REFERENCES series_transfer ON DELETE CASCADE,
    sop_instance_uid text NOT NULL,
    key text,
    bytes bigint,
    file_sha256 text,
    dataset_sha256 text,
    received_at timestamptz NOT NULL,
    uid_findings text[] NOT NULL DEFAULT '{}',
    verdict text NOT NULL DEFAULT 'PENDING'
        CHECK (verdict IN ('PENDING', 'IMPORTED', 'WARNED', 'FAILED', 'MISSING', 'UNCHANGED', 'SUPERSEDED')),
    datastore_id text,
    image_set_id text,
    image_set_version integer,
    is_primary boolean,
    warning_code integer,
    message text,
    imported_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (series_transfer_pk, sop_instance_uid)
);
CREATE INDEX instance_transfer_by_uid ON instance_transfer (sop_instance_uid, dataset_sha256);

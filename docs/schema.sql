-- Made by `make docs` from dicom_ingest/db/migrations, by pg_dump. Not to be run: migrations are.

CREATE SCHEMA operator_views;

CREATE FUNCTION public.count_verdicts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE series_transfer t SET indexed = counted.indexed, verdicts = counted.verdicts
    FROM (SELECT DISTINCT series_transfer_pk FROM changed) c
    CROSS JOIN LATERAL (
        SELECT CAST(sum(v.indexed) AS integer) AS indexed, jsonb_object_agg(v.verdict, v.instances) AS verdicts
        FROM (
            SELECT verdict, count(*) AS instances, count(key) AS indexed FROM instance_transfer
            WHERE series_transfer_pk = c.series_transfer_pk GROUP BY verdict) v) counted
    WHERE t.pk = c.series_transfer_pk
      AND (t.indexed, t.verdicts) IS DISTINCT FROM (counted.indexed, counted.verdicts);
    RETURN NULL;
END $$;

CREATE TABLE public.ahlijob (
    pk bigint NOT NULL,
    datastore_id text NOT NULL,
    series_transfer_pk bigint NOT NULL,
    transfer_id uuid NOT NULL,
    series_instance_uid text NOT NULL,
    priority smallint NOT NULL,
    state text DEFAULT 'WAITING'::text NOT NULL,
    outcome text,
    status smallint GENERATED ALWAYS AS (
CASE
    WHEN (state = 'WAITING'::text) THEN 1
    WHEN (state = ANY (ARRAY['GRANTED'::text, 'STARTING'::text, 'RUNNING'::text])) THEN 2
    WHEN ((state = 'DONE'::text) AND (outcome <> ALL (ARRAY['FAILED'::text, 'UNKNOWN'::text]))) THEN 3
    ELSE 4
END) STORED NOT NULL,
    owner_execution text NOT NULL,
    fence bigint NOT NULL,
    task_token text,
    attempt integer DEFAULT 1 NOT NULL,
    client_token text,
    job_name text,
    import_id text,
    import_status text,
    results_prefix text,
    message text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    granted_at timestamp with time zone,
    start_at timestamp with time zone,
    delivered_at timestamp with time zone,
    starting_at timestamp with time zone,
    running_at timestamp with time zone,
    import_over_at timestamp with time zone,
    orphaned_at timestamp with time zone,
    over_at timestamp with time zone,
    earlier_imports jsonb DEFAULT '[]'::jsonb NOT NULL,
    unknown_predecessor boolean DEFAULT false NOT NULL,
    token_at timestamp with time zone,
    token_retry integer,
    live boolean GENERATED ALWAYS AS ((state = ANY (ARRAY['WAITING'::text, 'GRANTED'::text, 'STARTING'::text, 'RUNNING'::text]))) STORED NOT NULL,
    holds_slot boolean GENERATED ALWAYS AS ((state = ANY (ARRAY['GRANTED'::text, 'STARTING'::text, 'RUNNING'::text]))) STORED NOT NULL,
    bundle bigint,
    leads boolean DEFAULT false NOT NULL,
    alone boolean DEFAULT false NOT NULL,
    expects_bundle boolean DEFAULT false NOT NULL,
    shared_over_at timestamp with time zone,
    results_uri text,
    asleep boolean GENERATED ALWAYS AS (((state = ANY (ARRAY['GRANTED'::text, 'STARTING'::text, 'RUNNING'::text])) AND (bundle IS NOT NULL) AND (NOT leads) AND (shared_over_at IS NULL))) STORED NOT NULL,
    own_slot boolean GENERATED ALWAYS AS (((state = ANY (ARRAY['GRANTED'::text, 'STARTING'::text, 'RUNNING'::text])) AND ((bundle IS NULL) OR leads))) STORED NOT NULL,
    CONSTRAINT ahlijob_granted CHECK (((state <> ALL (ARRAY['GRANTED'::text, 'STARTING'::text, 'RUNNING'::text])) OR (granted_at IS NOT NULL))),
    CONSTRAINT ahlijob_over CHECK (((over_at IS NOT NULL) = (state = ANY (ARRAY['DONE'::text, 'CANCELLED'::text])))),
    CONSTRAINT ahlijob_state_check CHECK ((state = ANY (ARRAY['WAITING'::text, 'GRANTED'::text, 'STARTING'::text, 'RUNNING'::text, 'DONE'::text, 'CANCELLED'::text])))
);

CREATE VIEW operator_views.ahlijob AS
 SELECT pk,
    datastore_id,
    series_transfer_pk,
    transfer_id,
    series_instance_uid,
    priority,
    state,
    outcome,
    status,
    owner_execution,
    fence,
    attempt,
    client_token,
    job_name,
    import_id,
    import_status,
    results_prefix,
    message,
    created_at,
    granted_at,
    start_at,
    delivered_at,
    starting_at,
    running_at,
    import_over_at,
    orphaned_at,
    over_at,
    earlier_imports,
    unknown_predecessor,
    live,
    holds_slot,
    bundle,
    leads,
    alone,
    expects_bundle,
    shared_over_at,
    results_uri,
    asleep,
    own_slot
   FROM public.ahlijob;

CREATE TABLE public.ahliimageset (
    pk bigint NOT NULL,
    datastore_id text NOT NULL,
    image_set_id text NOT NULL,
    version integer NOT NULL,
    is_primary boolean,
    series_pk bigint NOT NULL,
    series_instance_uid text NOT NULL,
    series_transfer_pk bigint NOT NULL,
    ahlijob_pk bigint NOT NULL,
    matched_instances integer NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE public.ahliimageset ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ahliimageset_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.ahlijob ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ahlijob_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.forced_import (
    series_transfer_pk bigint NOT NULL,
    replay_name text NOT NULL,
    execution text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.instance (
    pk bigint NOT NULL,
    series_pk bigint NOT NULL,
    sop_instance_uid text NOT NULL,
    sop_class_uid text NOT NULL,
    transfer_syntax_uid text NOT NULL,
    instance_number integer,
    instance_creation_date date,
    instance_creation_time time without time zone,
    image_type text[],
    image_orientation_patient double precision[],
    image_position_patient double precision[],
    acquisition_date date,
    acquisition_time time without time zone,
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
    unparsed jsonb DEFAULT '{}'::jsonb NOT NULL,
    edge text NOT NULL,
    transfer_id uuid NOT NULL,
    sequence bigint NOT NULL,
    key text NOT NULL,
    bytes bigint NOT NULL,
    file_sha256 text NOT NULL,
    dataset_sha256 text NOT NULL,
    received_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stored_transfer_syntax_uid text,
    stored_bytes bigint,
    stored_sha256 text
);

ALTER TABLE public.instance ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.instance_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.instance_transfer (
    series_transfer_pk bigint NOT NULL,
    sop_instance_uid text NOT NULL,
    key text,
    bytes bigint,
    file_sha256 text,
    dataset_sha256 text,
    received_at timestamp with time zone NOT NULL,
    uid_findings text[] DEFAULT '{}'::text[] NOT NULL,
    verdict text DEFAULT 'PENDING'::text NOT NULL,
    datastore_id text,
    image_set_id text,
    image_set_version integer,
    is_primary boolean,
    warning_code integer,
    message text,
    imported_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ahlijob_pk bigint,
    stored_transfer_syntax_uid text,
    stored_bytes bigint,
    stored_sha256 text,
    calling_ae text,
    foretold jsonb,
    CONSTRAINT instance_transfer_verdict_check CHECK ((verdict = ANY (ARRAY['PENDING'::text, 'IMPORTED'::text, 'WARNED'::text, 'FAILED'::text, 'MISSING'::text, 'UNCHANGED'::text, 'SUPERSEDED'::text])))
);

CREATE TABLE public.later_execution (
    series_transfer_pk bigint NOT NULL,
    execution text NOT NULL,
    replay_name text,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    over_at timestamp with time zone,
    outcome text,
    outcome_detail text
);

CREATE TABLE public.series_transfer (
    pk bigint NOT NULL,
    transfer_id uuid NOT NULL,
    series_instance_uid text NOT NULL,
    study_instance_uid text NOT NULL,
    series_pk bigint,
    correlation_id text NOT NULL,
    edge text NOT NULL,
    sequence bigint NOT NULL,
    after uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    modality text,
    priority smallint DEFAULT 0 NOT NULL,
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
    first_received_at timestamp with time zone NOT NULL,
    last_received_at timestamp with time zone NOT NULL,
    sealed_at timestamp with time zone NOT NULL,
    announced_at timestamp with time zone NOT NULL,
    owner_execution text,
    fence bigint DEFAULT 0 NOT NULL,
    claimed_at timestamp with time zone,
    indexed_at timestamp with time zone,
    objects_found integer,
    objects_extra jsonb DEFAULT '[]'::jsonb NOT NULL,
    state text DEFAULT 'CLAIMED'::text NOT NULL,
    datastore_id text,
    outcome text,
    outcome_detail text,
    scanned integer DEFAULT 0 NOT NULL,
    imported integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    warned integer DEFAULT 0 NOT NULL,
    over_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    conflict_attributes jsonb DEFAULT '{}'::jsonb NOT NULL,
    findings text[] DEFAULT '{}'::text[] NOT NULL,
    queue_again boolean DEFAULT false NOT NULL,
    told_execution text,
    begun_at timestamp with time zone,
    indexed integer DEFAULT 0 NOT NULL,
    verdicts jsonb DEFAULT '{}'::jsonb NOT NULL,
    balanced boolean GENERATED ALWAYS AS ((COALESCE((objects_found = instance_count), false) AND (indexed = instance_count) AND (NOT (verdicts ? 'MISSING'::text)) AND ((((COALESCE(((verdicts ->> 'IMPORTED'::text))::integer, 0) + COALESCE(((verdicts ->> 'WARNED'::text))::integer, 0)) + COALESCE(((verdicts ->> 'UNCHANGED'::text))::integer, 0)) + COALESCE(((verdicts ->> 'SUPERSEDED'::text))::integer, 0)) = instance_count))) STORED NOT NULL,
    acknowledged_at timestamp with time zone,
    transfer_series integer,
    chain_id uuid,
    chain_number bigint,
    chain_previous_sha256 text,
    CONSTRAINT series_transfer_outcome_check CHECK ((outcome = ANY (ARRAY['COMPLETED'::text, 'DUPLICATE'::text, 'SUPERSEDED'::text, 'NON_PRIMARY'::text, 'PARTIAL'::text, 'FAILED'::text, 'UNKNOWN'::text, 'INDEXED'::text]))),
    CONSTRAINT series_transfer_state_check CHECK ((state = ANY (ARRAY['CLAIMED'::text, 'INDEXED'::text, 'IMPORTING'::text, 'OVER'::text])))
);

CREATE VIEW public.ledger AS
 SELECT edge,
    ((sealed_at AT TIME ZONE 'UTC'::text))::date AS day,
    study_instance_uid,
    series_instance_uid,
    transfer_id,
    state,
    outcome,
    outcome_detail,
    instance_count AS announced,
    COALESCE(objects_found, 0) AS in_s3,
    (indexed)::bigint AS indexed,
    ((COALESCE(((verdicts ->> 'IMPORTED'::text))::bigint, (0)::bigint) + COALESCE(((verdicts ->> 'WARNED'::text))::bigint, (0)::bigint)) + COALESCE(((verdicts ->> 'UNCHANGED'::text))::bigint, (0)::bigint)) AS imported,
    COALESCE(((verdicts ->> 'SUPERSEDED'::text))::bigint, (0)::bigint) AS superseded,
    COALESCE(((verdicts ->> 'FAILED'::text))::bigint, (0)::bigint) AS failed,
    COALESCE(((verdicts ->> 'MISSING'::text))::bigint, (0)::bigint) AS missing,
    COALESCE(((verdicts ->> 'PENDING'::text))::bigint, (0)::bigint) AS pending,
    balanced
   FROM public.series_transfer;

CREATE TABLE public.migration (
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.operator_action (
    pk bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    who text NOT NULL,
    action text NOT NULL,
    series_transfer_pk bigint,
    datastore_id text,
    reason text DEFAULT ''::text NOT NULL,
    transfer_id uuid,
    series_instance_uid text
);

ALTER TABLE public.operator_action ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.operator_action_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.patient (
    pk bigint NOT NULL,
    issuer text NOT NULL,
    identifier text NOT NULL,
    identifier_is_study boolean NOT NULL,
    patient_name text,
    patient_id text,
    issuer_of_patient_id text,
    patient_birth_date date,
    patient_sex text,
    unparsed jsonb DEFAULT '{}'::jsonb NOT NULL,
    received_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    told_at jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE public.patient ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.patient_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW public.progress AS
 SELECT t.edge,
    t.study_instance_uid,
    t.series_instance_uid,
    t.transfer_id,
    t.modality,
    t.instance_count,
        CASE
            WHEN (t.state = 'OVER'::text) THEN t.outcome
            WHEN (j.state = 'WAITING'::text) THEN 'waiting'::text
            WHEN (j.state = ANY (ARRAY['GRANTED'::text, 'STARTING'::text])) THEN 'starting'::text
            WHEN (j.state = 'RUNNING'::text) THEN 'importing'::text
            ELSE lower(t.state)
        END AS place,
    t.outcome_detail,
    t.correlation_id,
    t.owner_execution,
    j.pk AS ticket_id,
    j.import_id,
    t.sealed_at,
    t.indexed_at,
    j.granted_at,
    j.running_at,
    t.over_at,
    t.pk AS series_transfer_pk
   FROM (public.series_transfer t
     LEFT JOIN LATERAL ( SELECT a.pk,
            a.datastore_id,
            a.series_transfer_pk,
            a.transfer_id,
            a.series_instance_uid,
            a.priority,
            a.state,
            a.outcome,
            a.status,
            a.owner_execution,
            a.fence,
            a.task_token,
            a.attempt,
            a.client_token,
            a.job_name,
            a.import_id,
            a.import_status,
            a.results_prefix,
            a.message,
            a.created_at,
            a.granted_at,
            a.start_at,
            a.delivered_at,
            a.starting_at,
            a.running_at,
            a.import_over_at,
            a.orphaned_at,
            a.over_at,
            a.earlier_imports,
            a.unknown_predecessor,
            a.token_at,
            a.token_retry
           FROM public.ahlijob a
          WHERE (a.series_transfer_pk = t.pk)
          ORDER BY a.pk DESC
         LIMIT 1) j ON (true));

CREATE TABLE public.semaphore (
    datastore_id text NOT NULL,
    capacity integer NOT NULL,
    start_rate double precision NOT NULL,
    start_burst integer NOT NULL,
    next_start timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    gate text DEFAULT 'OPEN'::text NOT NULL,
    gate_reason text,
    gate_closed_at timestamp with time zone,
    gate_probed_at timestamp with time zone,
    configured jsonb DEFAULT '{}'::jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    configured_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    failed_imports integer DEFAULT 0 NOT NULL,
    bundles boolean DEFAULT false NOT NULL,
    bundle_patience double precision DEFAULT 600 NOT NULL,
    live_needs integer[] DEFAULT array_fill(0, ARRAY[24]) NOT NULL,
    live_needs_hour timestamp with time zone,
    CONSTRAINT semaphore_bundle_patience_check CHECK ((bundle_patience >= (0)::double precision)),
    CONSTRAINT semaphore_capacity_check CHECK ((capacity >= 0)),
    CONSTRAINT semaphore_gate_check CHECK ((gate = ANY (ARRAY['OPEN'::text, 'CLOSED'::text]))),
    CONSTRAINT semaphore_live_needs_check CHECK ((array_length(live_needs, 1) = 24)),
    CONSTRAINT semaphore_start_burst_check CHECK ((start_burst >= 1)),
    CONSTRAINT semaphore_start_rate_check CHECK ((start_rate > (0)::double precision))
);

CREATE TABLE public.series (
    pk bigint NOT NULL,
    study_pk bigint NOT NULL,
    series_instance_uid text NOT NULL,
    modality text,
    series_number integer,
    series_date date,
    series_time time without time zone,
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
    number_of_series_related_instances integer DEFAULT 0 NOT NULL,
    unparsed jsonb DEFAULT '{}'::jsonb NOT NULL,
    received_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    told_at jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE VIEW public.series_action AS
 SELECT operator_action.pk,
    operator_action.at,
    operator_action.who,
    operator_action.action,
    operator_action.reason,
    operator_action.series_transfer_pk
   FROM public.operator_action
  WHERE (operator_action.series_transfer_pk IS NOT NULL)
UNION ALL
 SELECT a.pk,
    a.at,
    a.who,
    a.action,
    a.reason,
    t.pk AS series_transfer_pk
   FROM (public.series_transfer t
     JOIN public.operator_action a ON (((a.transfer_id = t.transfer_id) AND (a.series_instance_uid = t.series_instance_uid))))
  WHERE ((a.series_transfer_pk IS NULL) AND (a.transfer_id IS NOT NULL));

ALTER TABLE public.series ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.series_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.series_transfer ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.series_transfer_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.study (
    pk bigint NOT NULL,
    patient_pk bigint NOT NULL,
    study_instance_uid text NOT NULL,
    accession_number text,
    issuer_of_accession_number_sequence jsonb,
    study_id text,
    study_date date,
    study_time time without time zone,
    study_description text,
    referring_physician_name text,
    consulting_physician_name text[],
    name_of_physicians_reading_study text[],
    procedure_code_sequence jsonb,
    requesting_service text,
    specific_character_set text[],
    modalities_in_study text[] DEFAULT '{}'::text[] NOT NULL,
    number_of_study_related_series integer DEFAULT 0 NOT NULL,
    number_of_study_related_instances integer DEFAULT 0 NOT NULL,
    unparsed jsonb DEFAULT '{}'::jsonb NOT NULL,
    received_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    told_at jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE public.study ALTER COLUMN pk ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.study_pk_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.ahliimageset
    ADD CONSTRAINT ahliimageset_datastore_id_image_set_id_version_series_trans_key UNIQUE (datastore_id, image_set_id, version, series_transfer_pk);

ALTER TABLE ONLY public.ahliimageset
    ADD CONSTRAINT ahliimageset_pkey PRIMARY KEY (pk);

ALTER TABLE ONLY public.ahlijob
    ADD CONSTRAINT ahlijob_pkey PRIMARY KEY (pk);

ALTER TABLE ONLY public.forced_import
    ADD CONSTRAINT forced_import_pkey PRIMARY KEY (series_transfer_pk, replay_name);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (pk);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_series_pk_sop_instance_uid_key UNIQUE (series_pk, sop_instance_uid);

ALTER TABLE ONLY public.instance_transfer
    ADD CONSTRAINT instance_transfer_pkey PRIMARY KEY (series_transfer_pk, sop_instance_uid);

ALTER TABLE ONLY public.later_execution
    ADD CONSTRAINT later_execution_pkey PRIMARY KEY (series_transfer_pk, execution);

ALTER TABLE ONLY public.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.operator_action
    ADD CONSTRAINT operator_action_pkey PRIMARY KEY (pk);

ALTER TABLE ONLY public.patient
    ADD CONSTRAINT patient_issuer_identifier_identifier_is_study_key UNIQUE (issuer, identifier, identifier_is_study);

ALTER TABLE ONLY public.patient
    ADD CONSTRAINT patient_pkey PRIMARY KEY (pk);

ALTER TABLE ONLY public.semaphore
    ADD CONSTRAINT semaphore_pkey PRIMARY KEY (datastore_id);

ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_pkey PRIMARY KEY (pk);

ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_study_pk_series_instance_uid_key UNIQUE (study_pk, series_instance_uid);

ALTER TABLE ONLY public.series_transfer
    ADD CONSTRAINT series_transfer_pkey PRIMARY KEY (pk);

ALTER TABLE ONLY public.series_transfer
    ADD CONSTRAINT series_transfer_transfer_id_series_instance_uid_key UNIQUE (transfer_id, series_instance_uid);

ALTER TABLE ONLY public.study
    ADD CONSTRAINT study_patient_pk_study_instance_uid_key UNIQUE (patient_pk, study_instance_uid);

ALTER TABLE ONLY public.study
    ADD CONSTRAINT study_pkey PRIMARY KEY (pk);

CREATE INDEX ahliimageset_by_image_set ON public.ahliimageset USING btree (image_set_id);

CREATE INDEX ahliimageset_by_series ON public.ahliimageset USING btree (series_instance_uid);

CREATE INDEX ahliimageset_by_series_transfer ON public.ahliimageset USING btree (series_transfer_pk);

CREATE INDEX ahliimageset_created ON public.ahliimageset USING btree (created_at);

CREATE INDEX ahlijob_by_bundle ON public.ahlijob USING btree (bundle) WHERE (bundle IS NOT NULL);

CREATE INDEX ahlijob_by_import ON public.ahlijob USING btree (import_id);

CREATE INDEX ahlijob_ended ON public.ahlijob USING btree (datastore_id, import_over_at DESC) WHERE ((import_over_at IS NOT NULL) AND (granted_at IS NOT NULL));

CREATE INDEX ahlijob_live_ticket_of_series_transfer ON public.ahlijob USING btree (series_transfer_pk) WHERE live;

CREATE INDEX ahlijob_of_series_transfer ON public.ahlijob USING btree (series_transfer_pk, pk);

CREATE UNIQUE INDEX ahlijob_one_holder_of_series ON public.ahlijob USING btree (datastore_id, series_instance_uid) WHERE holds_slot;

CREATE UNIQUE INDEX ahlijob_one_live_ticket ON public.ahlijob USING btree (transfer_id, series_instance_uid, datastore_id) WHERE live;

CREATE INDEX ahlijob_out_of_order ON public.ahlijob USING btree (granted_at) WHERE unknown_predecessor;

CREATE INDEX ahlijob_own_slots ON public.ahlijob USING btree (datastore_id) WHERE own_slot;

CREATE INDEX ahlijob_queue ON public.ahlijob USING btree (datastore_id, priority, pk) WHERE (state = 'WAITING'::text);

CREATE INDEX ahlijob_slots ON public.ahlijob USING btree (datastore_id) WHERE holds_slot;

CREATE INDEX ahlijob_started ON public.ahlijob USING btree (running_at);

CREATE INDEX ahlijob_untold ON public.ahlijob USING btree (pk) WHERE ((state = 'CANCELLED'::text) AND (task_token IS NOT NULL));

CREATE INDEX ahlijob_waiting_of_series_transfer ON public.ahlijob USING btree (series_transfer_pk) WHERE (state = 'WAITING'::text);

CREATE INDEX ahlijob_waiting_since ON public.ahlijob USING btree (datastore_id, created_at) WHERE (state = 'WAITING'::text);

CREATE INDEX instance_by_uid ON public.instance USING btree (sop_instance_uid);

CREATE INDEX instance_transfer_by_uid ON public.instance_transfer USING btree (sop_instance_uid, dataset_sha256);

CREATE INDEX instance_transfer_foretold ON public.instance_transfer USING btree (series_transfer_pk) WHERE (foretold IS NOT NULL);

CREATE INDEX operator_action_before_the_index ON public.operator_action USING btree (transfer_id, series_instance_uid) WHERE ((series_transfer_pk IS NULL) AND (transfer_id IS NOT NULL));

CREATE INDEX operator_action_of_datastore ON public.operator_action USING btree (datastore_id, action, pk);

CREATE INDEX operator_action_of_series_transfer ON public.operator_action USING btree (series_transfer_pk, pk);

CREATE INDEX patient_by_id_prefix ON public.patient USING btree ("left"(lower(patient_id), 64) text_pattern_ops);

CREATE INDEX patient_by_identifier ON public.patient USING hash (identifier);

CREATE INDEX patient_by_name_prefix ON public.patient USING btree ("left"(lower(patient_name), 64) text_pattern_ops);

CREATE INDEX patient_by_patient_id ON public.patient USING hash (patient_id);

CREATE INDEX series_by_uid ON public.series USING btree (series_instance_uid);

CREATE INDEX series_transfer_by_day ON public.series_transfer USING btree (edge, sealed_at);

CREATE INDEX series_transfer_by_owner ON public.series_transfer USING btree (owner_execution);

CREATE INDEX series_transfer_by_series_pk ON public.series_transfer USING btree (series_pk);

CREATE INDEX series_transfer_by_series_prefix ON public.series_transfer USING btree (series_instance_uid text_pattern_ops);

CREATE INDEX series_transfer_by_study_prefix ON public.series_transfer USING btree (study_instance_uid text_pattern_ops);

CREATE INDEX series_transfer_by_utc_day ON public.series_transfer USING btree ((((sealed_at AT TIME ZONE 'UTC'::text))::date));

CREATE INDEX series_transfer_closed ON public.series_transfer USING btree (transfer_id) WHERE (transfer_series > 1);

CREATE INDEX series_transfer_created ON public.series_transfer USING btree (created_at);

CREATE INDEX series_transfer_ended ON public.series_transfer USING btree (over_at);

CREATE INDEX series_transfer_needs_a_person ON public.series_transfer USING btree (first_received_at DESC, pk DESC) WHERE ((state = 'OVER'::text) AND (outcome = ANY (ARRAY['FAILED'::text, 'UNKNOWN'::text, 'PARTIAL'::text, 'NON_PRIMARY'::text])));

CREATE INDEX series_transfer_newest ON public.series_transfer USING btree (first_received_at DESC, pk DESC);

CREATE INDEX series_transfer_newest_of_called_ae ON public.series_transfer USING btree (called_ae, first_received_at DESC, pk DESC);

CREATE INDEX series_transfer_newest_of_calling_ae ON public.series_transfer USING btree (calling_ae, first_received_at DESC, pk DESC);

CREATE INDEX series_transfer_newest_of_edge ON public.series_transfer USING btree (edge, first_received_at DESC, pk DESC);

CREATE INDEX series_transfer_newest_of_modality ON public.series_transfer USING btree ("left"(modality, 16), first_received_at DESC, pk DESC);

CREATE INDEX series_transfer_newest_of_outcome ON public.series_transfer USING btree (outcome, first_received_at DESC, pk DESC) WHERE (state = 'OVER'::text);

CREATE INDEX series_transfer_newest_under_way ON public.series_transfer USING btree (first_received_at DESC, pk DESC) WHERE (state <> 'OVER'::text);

CREATE INDEX series_transfer_not_over_by_pk ON public.series_transfer USING btree (pk) WHERE (state <> 'OVER'::text);

CREATE INDEX series_transfer_queue_again ON public.series_transfer USING btree (pk) WHERE queue_again;

CREATE INDEX series_transfer_unbalanced ON public.series_transfer USING btree ((((sealed_at AT TIME ZONE 'UTC'::text))::date) DESC, edge, series_instance_uid) WHERE (NOT balanced);

CREATE INDEX series_transfer_under_way_by_state ON public.series_transfer USING btree (state, first_received_at DESC, pk DESC) WHERE (state <> 'OVER'::text);

CREATE INDEX study_by_accession_number ON public.study USING hash (accession_number);

CREATE INDEX study_by_accession_prefix ON public.study USING btree ("left"(lower(accession_number), 64) text_pattern_ops);

CREATE INDEX study_by_uid ON public.study USING btree (study_instance_uid);

CREATE TRIGGER count_verdicts_of_changed AFTER UPDATE ON public.instance_transfer REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.count_verdicts();

CREATE TRIGGER count_verdicts_of_new AFTER INSERT ON public.instance_transfer REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.count_verdicts();

ALTER TABLE ONLY public.ahliimageset
    ADD CONSTRAINT ahliimageset_ahlijob_pk_fkey FOREIGN KEY (ahlijob_pk) REFERENCES public.ahlijob(pk);

ALTER TABLE ONLY public.ahliimageset
    ADD CONSTRAINT ahliimageset_series_pk_fkey FOREIGN KEY (series_pk) REFERENCES public.series(pk);

ALTER TABLE ONLY public.ahliimageset
    ADD CONSTRAINT ahliimageset_series_transfer_pk_fkey FOREIGN KEY (series_transfer_pk) REFERENCES public.series_transfer(pk);

ALTER TABLE ONLY public.ahlijob
    ADD CONSTRAINT ahlijob_datastore_id_fkey FOREIGN KEY (datastore_id) REFERENCES public.semaphore(datastore_id);

ALTER TABLE ONLY public.ahlijob
    ADD CONSTRAINT ahlijob_series_transfer_pk_fkey FOREIGN KEY (series_transfer_pk) REFERENCES public.series_transfer(pk);

ALTER TABLE ONLY public.forced_import
    ADD CONSTRAINT forced_import_series_transfer_pk_fkey FOREIGN KEY (series_transfer_pk) REFERENCES public.series_transfer(pk);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_series_pk_fkey FOREIGN KEY (series_pk) REFERENCES public.series(pk);

ALTER TABLE ONLY public.instance_transfer
    ADD CONSTRAINT instance_transfer_series_transfer_pk_fkey FOREIGN KEY (series_transfer_pk) REFERENCES public.series_transfer(pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.later_execution
    ADD CONSTRAINT later_execution_series_transfer_pk_fkey FOREIGN KEY (series_transfer_pk) REFERENCES public.series_transfer(pk) ON DELETE CASCADE;

ALTER TABLE ONLY public.operator_action
    ADD CONSTRAINT operator_action_series_transfer_pk_fkey FOREIGN KEY (series_transfer_pk) REFERENCES public.series_transfer(pk);

ALTER TABLE ONLY public.series
    ADD CONSTRAINT series_study_pk_fkey FOREIGN KEY (study_pk) REFERENCES public.study(pk);

ALTER TABLE ONLY public.series_transfer
    ADD CONSTRAINT series_transfer_series_pk_fkey FOREIGN KEY (series_pk) REFERENCES public.series(pk);

ALTER TABLE ONLY public.study
    ADD CONSTRAINT study_patient_pk_fkey FOREIGN KEY (patient_pk) REFERENCES public.patient(pk);

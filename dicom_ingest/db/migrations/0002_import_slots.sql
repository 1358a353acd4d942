-- The semaphore: one row per data store. Capacity in use is counted from tickets, never stored.
CREATE TABLE semaphore (
    datastore_id text PRIMARY KEY,
    capacity integer NOT NULL CHECK (capacity >= 0),
    start_rate double precision NOT NULL CHECK (start_rate > 0), -- imports started a second
    start_burst integer NOT NULL CHECK (start_burst >= 1),
    next_start timestamptz NOT NULL DEFAULT 'epoch', -- GCRA's theoretical arrival time
    paused boolean NOT NULL DEFAULT false, -- by an operator
    gate text NOT NULL DEFAULT 'OPEN' CHECK (gate IN ('OPEN', 'CLOSED')), -- by trouble with the data store
    gate_reason text,
    gate_closed_at timestamptz,
    gate_probed_at timestamptz,
    configured jsonb NOT NULL DEFAULT '{}', -- what the last deploy said, so that it does not undo an operator
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A ticket: a place in the queue for a slot, then the slot, then the import.
CREATE TABLE ahlijob (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    datastore_id text NOT NULL REFERENCES semaphore,
    series_transfer_pk bigint NOT NULL REFERENCES series_transfer,
    transfer_id uuid NOT NULL,
    series_instance_uid text NOT NULL,
    priority smallint NOT NULL,
    state text NOT NULL DEFAULT 'WAITING'
        CHECK (state IN ('WAITING', 'GRANTED', 'STARTING', 'RUNNING', 'DONE', 'CANCELLED')),
    outcome text,
    -- 1 in queue, 2 in progress, 3 completed, 4 failed: the numbers that operators know.
    status smallint NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN state = 'WAITING' THEN 1
            WHEN state IN ('GRANTED', 'STARTING', 'RUNNING') THEN 2
            WHEN state = 'DONE' AND outcome NOT IN ('FAILED', 'UNKNOWN') THEN 3
            ELSE 4
        END) STORED,
    owner_execution text NOT NULL,
    fence bigint NOT NULL,
    task_token text,
    attempt integer NOT NULL DEFAULT 1,
    client_token text,
    job_name text,
    import_id text, -- HealthImaging's job id
    import_status text,
    results_prefix text,
    message text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    granted_at timestamptz,
    start_at timestamptz,
    delivered_at timestamptz,
    starting_at timestamptz,
    running_at timestamptz,
    import_over_at timestamptz,
    orphaned_at timestamptz, -- a mark: the owner is gone, the import may go on
    over_at timestamptz,
    earlier_imports jsonb NOT NULL DEFAULT '[]', -- import id and status of earlier attempts
    unknown_predecessor boolean NOT NULL DEFAULT false -- granted although an earlier transfer never came
);
CREATE UNIQUE INDEX ahlijob_one_live ON ahlijob (datastore_id, transfer_id, series_instance_uid)
    WHERE state IN ('WAITING', 'GRANTED', 'STARTING', 'RUNNING');
CREATE UNIQUE INDEX ahlijob_one_holder ON ahlijob (datastore_id, series_instance_uid)
    WHERE state IN ('GRANTED', 'STARTING', 'RUNNING');
CREATE INDEX ahlijob_queue ON ahlijob (datastore_id, priority, pk) WHERE state = 'WAITING';
CREATE INDEX ahlijob_holders ON ahlijob (datastore_id) WHERE state IN ('GRANTED', 'STARTING', 'RUNNING');
CREATE INDEX ahlijob_by_series_transfer ON ahlijob (series_transfer_pk);
CREATE INDEX ahlijob_by_import ON ahlijob (import_id);

CREATE TABLE ahliimageset (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    datastore_id text NOT NULL,
    image_set_id text NOT NULL,
    version integer NOT NULL,
    is_primary boolean,
    series_pk bigint NOT NULL REFERENCES series,
    series_instance_uid text NOT NULL,
    series_transfer_pk bigint NOT NULL REFERENCES series_transfer,
    ahlijob_pk bigint NOT NULL REFERENCES ahlijob,
    matched_instances integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (datastore_id, image_set_id, version, series_transfer_pk)
);
CREATE INDEX ahliimageset_by_series ON ahliimageset (series_instance_uid);

-- force-… replays: at most one re-import per (transfer, series, replay name), delivered once or twice.
CREATE TABLE forced_import (
    series_transfer_pk bigint NOT NULL REFERENCES series_transfer,
    replay_name text NOT NULL,
    execution text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (series_transfer_pk, replay_name)
);

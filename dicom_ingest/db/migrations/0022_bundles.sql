-- A bundle: the series transfers of one closed transfer, granted together and imported by one job.
ALTER TABLE series_transfer
    ADD COLUMN transfer_series integer; -- the transfer is closed and has so many series; on its last one only
ALTER TABLE semaphore
    ADD COLUMN bundles boolean NOT NULL DEFAULT false, -- whether bundles are formed at all
    -- So many seconds a bulk ticket waits for its transfer to close, at most.
    ADD COLUMN bundle_patience double precision NOT NULL DEFAULT 600 CHECK (bundle_patience >= 0);
ALTER TABLE ahlijob
    ADD COLUMN bundle bigint, -- the pk of the ticket that led it first: all of them share one slot and one import
    ADD COLUMN leads boolean NOT NULL DEFAULT false, -- its execution starts and polls the import
    ADD COLUMN alone boolean NOT NULL DEFAULT false, -- its bundle was dissolved: it joins no other
    ADD COLUMN expects_bundle boolean NOT NULL DEFAULT false, -- its transfer may still close
    ADD COLUMN shared_over_at timestamptz, -- the bundle's import is over, and its results are there
    ADD COLUMN results_uri text, -- where these are
    -- Its execution sleeps until another has seen the end of the import.
    ADD COLUMN asleep boolean NOT NULL GENERATED ALWAYS AS (
        state IN ('GRANTED', 'STARTING', 'RUNNING') AND bundle IS NOT NULL AND NOT leads
        AND shared_over_at IS NULL) STORED,
    -- It holds a slot of its own: of a bundle the leader does.
    ADD COLUMN own_slot boolean NOT NULL GENERATED ALWAYS AS (
        state IN ('GRANTED', 'STARTING', 'RUNNING') AND (bundle IS NULL OR leads)) STORED;
CREATE OR REPLACE VIEW operator_views.ahlijob AS
SELECT pk, datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority, state, outcome, status,
    owner_execution, fence, attempt, client_token, job_name, import_id, import_status, results_prefix, message,
    created_at, granted_at, start_at, delivered_at, starting_at, running_at, import_over_at, orphaned_at, over_at,
    earlier_imports, unknown_predecessor, live, holds_slot, bundle, leads, alone, expects_bundle, shared_over_at,
    results_uri, asleep, own_slot
FROM public.ahlijob;

-- Which tickets wait or hold a slot, said once: `live` and `holds_slot` instead of lists of states.
ALTER TABLE ahlijob
    ADD COLUMN live boolean NOT NULL
        GENERATED ALWAYS AS (state IN ('WAITING', 'GRANTED', 'STARTING', 'RUNNING')) STORED,
    ADD COLUMN holds_slot boolean NOT NULL
        GENERATED ALWAYS AS (state IN ('GRANTED', 'STARTING', 'RUNNING')) STORED,
    -- A state and its time go together.
    ADD CONSTRAINT ahlijob_over CHECK ((over_at IS NOT NULL) = (state IN ('DONE', 'CANCELLED'))),
    ADD CONSTRAINT ahlijob_granted CHECK (state NOT IN ('GRANTED', 'STARTING', 'RUNNING') OR granted_at IS NOT NULL);
CREATE OR REPLACE VIEW operator_views.ahlijob AS
SELECT pk, datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority, state, outcome, status,
    owner_execution, fence, attempt, client_token, job_name, import_id, import_status, results_prefix, message,
    created_at, granted_at, start_at, delivered_at, starting_at, running_at, import_over_at, orphaned_at, over_at,
    earlier_imports, unknown_predecessor, live, holds_slot
FROM public.ahlijob;

-- As in 0007, whichever was applied last.
CREATE OR REPLACE VIEW ledger AS
SELECT
    edge,
    (sealed_at AT TIME ZONE 'UTC')::date AS day,
    study_instance_uid,
    series_instance_uid,
    transfer_id,
    state,
    outcome,
    outcome_detail,
    instance_count AS announced,
    coalesce(objects_found, 0) AS in_s3,
    CAST(indexed AS bigint) AS indexed,
    coalesce(CAST(verdicts ->> 'IMPORTED' AS bigint), 0) + coalesce(CAST(verdicts ->> 'WARNED' AS bigint), 0)
        + coalesce(CAST(verdicts ->> 'UNCHANGED' AS bigint), 0) AS imported,
    coalesce(CAST(verdicts ->> 'SUPERSEDED' AS bigint), 0) AS superseded,
    coalesce(CAST(verdicts ->> 'FAILED' AS bigint), 0) AS failed,
    coalesce(CAST(verdicts ->> 'MISSING' AS bigint), 0) AS missing,
    coalesce(CAST(verdicts ->> 'PENDING' AS bigint), 0) AS pending,
    balanced
FROM series_transfer;

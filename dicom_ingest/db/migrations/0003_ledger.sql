-- The ledger: announced = in S3 = indexed = imported + explained, per series transfer.
CREATE VIEW ledger AS
SELECT
    t.edge,
    (t.sealed_at AT TIME ZONE 'UTC')::date AS day,
    t.study_instance_uid,
    t.series_instance_uid,
    t.transfer_id,
    t.state,
    t.outcome,
    t.outcome_detail,
    t.instance_count AS announced,
    coalesce(t.objects_found, 0) AS in_s3,
    count(i.sop_instance_uid) FILTER (WHERE i.key IS NOT NULL) AS indexed,
    count(*) FILTER (WHERE i.verdict IN ('IMPORTED', 'WARNED', 'UNCHANGED')) AS imported,
    count(*) FILTER (WHERE i.verdict = 'SUPERSEDED') AS superseded,
    count(*) FILTER (WHERE i.verdict = 'FAILED') AS failed,
    count(*) FILTER (WHERE i.verdict = 'MISSING') AS missing,
    count(*) FILTER (WHERE i.verdict = 'PENDING') AS pending,
    coalesce(t.objects_found = t.instance_count
        AND count(i.sop_instance_uid) FILTER (WHERE i.key IS NOT NULL) = t.instance_count
        AND count(*) FILTER (WHERE i.verdict IN ('IMPORTED', 'WARNED', 'UNCHANGED', 'SUPERSEDED')
            AND i.key IS NOT NULL) = t.instance_count, false) AS balanced
FROM series_transfer t
LEFT JOIN instance_transfer i ON i.series_transfer_pk = t.pk
GROUP BY t.pk;

-- Where every series transfer is, in the words of the workflow.
CREATE VIEW progress AS
SELECT
    t.edge,
    t.study_instance_uid,
    t.series_instance_uid,
    t.transfer_id,
    t.modality,
    t.instance_count,
    CASE
        WHEN t.state = 'OVER' THEN t.outcome
        WHEN j.state = 'WAITING' THEN 'waiting'
        WHEN j.state IN ('GRANTED', 'STARTING') THEN 'starting'
        WHEN j.state = 'RUNNING' THEN 'importing'
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
    t.over_at
FROM series_transfer t
LEFT JOIN LATERAL (
    SELECT * FROM ahlijob a WHERE a.series_transfer_pk = t.pk ORDER BY a.pk DESC LIMIT 1
) j ON true;

-- What an operator sees under the same name: everything but the tokens that answer executions.
CREATE SCHEMA operator_views;
CREATE VIEW operator_views.ahlijob AS
SELECT pk, datastore_id, series_transfer_pk, transfer_id, series_instance_uid, priority, state, outcome, status,
    owner_execution, fence, attempt, client_token, job_name, import_id, import_status, results_prefix, message,
    created_at, granted_at, start_at, delivered_at, starting_at, running_at, import_over_at, orphaned_at, over_at,
    earlier_imports, unknown_predecessor
FROM public.ahlijob;

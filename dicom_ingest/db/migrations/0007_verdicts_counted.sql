-- What became of a series transfer's instances, counted beside it: the ledger of a day reads series transfers
-- only. Counted from the rows by a trigger, so that no statement can forget it.
ALTER TABLE series_transfer
    ADD COLUMN indexed integer NOT NULL DEFAULT 0, -- instances with an object of their own
    ADD COLUMN verdicts jsonb NOT NULL DEFAULT '{}'; -- instances by verdict

CREATE FUNCTION count_verdicts() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER count_verdicts_of_new AFTER INSERT ON instance_transfer
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_verdicts();
CREATE TRIGGER count_verdicts_of_changed AFTER UPDATE ON instance_transfer
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_verdicts();

UPDATE series_transfer t SET indexed = counted.indexed, verdicts = counted.verdicts
FROM (
    SELECT series_transfer_pk, CAST(sum(indexed) AS integer) AS indexed,
        jsonb_object_agg(verdict, instances) AS verdicts
    FROM (
        SELECT series_transfer_pk, verdict, count(*) AS instances, count(key) AS indexed
        FROM instance_transfer GROUP BY series_transfer_pk, verdict) v
    GROUP BY series_transfer_pk) counted
WHERE t.pk = counted.series_transfer_pk;

-- Balanced: announced = in S3 = indexed = imported + superseded, and the edge has missed none.
ALTER TABLE series_transfer ADD COLUMN balanced boolean NOT NULL GENERATED ALWAYS AS (
    coalesce(objects_found = instance_count, false) AND indexed = instance_count
    AND NOT verdicts ? 'MISSING'
    AND coalesce(CAST(verdicts ->> 'IMPORTED' AS integer), 0) + coalesce(CAST(verdicts ->> 'WARNED' AS integer), 0)
        + coalesce(CAST(verdicts ->> 'UNCHANGED' AS integer), 0)
        + coalesce(CAST(verdicts ->> 'SUPERSEDED' AS integer), 0) = instance_count) STORED;

-- The ledger: announced = in S3 = indexed = imported + explained, per series transfer.
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

-- Where every series transfer is, in the words of the workflow. The newest ticket says it.
CREATE OR REPLACE VIEW progress AS
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
    t.over_at,
    t.pk AS series_transfer_pk
FROM series_transfer t
LEFT JOIN LATERAL (
    SELECT * FROM ahlijob a WHERE a.series_transfer_pk = t.pk ORDER BY a.pk DESC LIMIT 1
) j ON true;

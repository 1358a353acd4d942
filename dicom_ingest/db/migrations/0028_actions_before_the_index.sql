-- An operator may send a series through the workflow that the index does not know yet: a dead letter, a prefix.
-- Its timeline shows who did it all the same, once the index has it.
ALTER TABLE operator_action ADD COLUMN transfer_id uuid, ADD COLUMN series_instance_uid text;
CREATE INDEX operator_action_before_the_index ON operator_action (transfer_id, series_instance_uid)
    WHERE series_transfer_pk IS NULL AND transfer_id IS NOT NULL;
CREATE VIEW series_action AS
SELECT pk, at, who, action, reason, series_transfer_pk FROM operator_action WHERE series_transfer_pk IS NOT NULL
UNION ALL
SELECT a.pk, a.at, a.who, a.action, a.reason, t.pk
FROM series_transfer t
JOIN operator_action a ON a.transfer_id = t.transfer_id AND a.series_instance_uid = t.series_instance_uid
WHERE a.series_transfer_pk IS NULL AND a.transfer_id IS NOT NULL;

-- outside a transaction
-- The indexes of 0002, 0009 and 0013 under the names of 0015. No release has used the lists of states.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_one_live_ticket
    ON ahlijob (transfer_id, series_instance_uid, datastore_id) WHERE live;
DROP INDEX CONCURRENTLY IF EXISTS ahlijob_one_live;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_one_holder_of_series
    ON ahlijob (datastore_id, series_instance_uid) WHERE holds_slot;
DROP INDEX CONCURRENTLY IF EXISTS ahlijob_one_holder;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_slots ON ahlijob (datastore_id) WHERE holds_slot;
DROP INDEX CONCURRENTLY IF EXISTS ahlijob_holders;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_live_ticket_of_series_transfer ON ahlijob (series_transfer_pk)
    WHERE live;
DROP INDEX CONCURRENTLY IF EXISTS ahlijob_live_of_series_transfer;
-- Of a new column the planner knows nothing: it would expect half of all tickets to be live.
ANALYZE ahlijob;
ANALYZE series_transfer;

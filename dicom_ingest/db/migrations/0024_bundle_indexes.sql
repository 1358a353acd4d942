-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_by_bundle ON ahlijob (bundle) WHERE bundle IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_own_slots ON ahlijob (datastore_id) WHERE own_slot;
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_closed ON series_transfer (transfer_id)
    WHERE transfer_series > 1;
-- Of a new column the planner knows nothing: it would expect half of all tickets to hold a slot.
ANALYZE ahlijob;
ANALYZE series_transfer;

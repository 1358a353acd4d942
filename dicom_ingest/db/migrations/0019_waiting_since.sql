-- outside a transaction
-- How long the first in the queue has waited, without reading the queue.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_waiting_since ON ahlijob (datastore_id, created_at)
    WHERE state = 'WAITING';

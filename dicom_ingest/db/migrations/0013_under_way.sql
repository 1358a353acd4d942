-- outside a transaction
-- What is under way, by its state, and what waits: tens of thousands at most, told without reading their rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_under_way_by_state
    ON series_transfer (state, first_received_at DESC, pk DESC) WHERE state <> 'OVER';
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_waiting_of_series_transfer
    ON ahlijob (series_transfer_pk) WHERE state = 'WAITING';

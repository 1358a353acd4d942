-- outside a transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS instance_transfer_foretold ON instance_transfer (series_transfer_pk)
    WHERE foretold IS NOT NULL;
ANALYZE instance_transfer;

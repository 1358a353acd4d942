-- outside a transaction
-- People type or paste the beginning of a UID. These indexes also answer what those that they replace did.
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_by_study_prefix
    ON series_transfer (study_instance_uid text_pattern_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_by_series_prefix
    ON series_transfer (series_instance_uid text_pattern_ops);
DROP INDEX CONCURRENTLY IF EXISTS series_transfer_by_study;
DROP INDEX CONCURRENTLY IF EXISTS series_transfer_by_series;

-- outside a transaction
-- For a database of years: every statement finds its rows by an index, whatever the tables' size. Hash indexes
-- hold header values, which may be longer than a B-tree's entry.

-- Newest first, which is how people look: all, and by what they look for.
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_newest
    ON series_transfer (first_received_at DESC, pk DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_newest_of_edge
    ON series_transfer (edge, first_received_at DESC, pk DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_newest_of_calling_ae
    ON series_transfer (calling_ae, first_received_at DESC, pk DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_newest_of_called_ae
    ON series_transfer (called_ae, first_received_at DESC, pk DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_newest_of_modality
    ON series_transfer (left(modality, 16), first_received_at DESC, pk DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_newest_of_outcome
    ON series_transfer (outcome, first_received_at DESC, pk DESC) WHERE state = 'OVER';
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_needs_a_person
    ON series_transfer (first_received_at DESC, pk DESC)
    WHERE state = 'OVER' AND outcome IN ('FAILED', 'UNKNOWN', 'PARTIAL', 'NON_PRIMARY');
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_newest_under_way
    ON series_transfer (first_received_at DESC, pk DESC) WHERE state <> 'OVER';

-- What an operator asks of a day, and what does not balance.
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_by_utc_day
    ON series_transfer (((sealed_at AT TIME ZONE 'UTC')::date));
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_unbalanced
    ON series_transfer (((sealed_at AT TIME ZONE 'UTC')::date) DESC, edge, series_instance_uid) WHERE NOT balanced;
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_created ON series_transfer (created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_ended ON series_transfer (over_at);

-- From the levels of DICOM to their transfers.
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_by_series_pk ON series_transfer (series_pk);
CREATE INDEX CONCURRENTLY IF NOT EXISTS patient_by_patient_id ON patient USING hash (patient_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS patient_by_identifier ON patient USING hash (identifier);
CREATE INDEX CONCURRENTLY IF NOT EXISTS study_by_accession_number ON study USING hash (accession_number);
DROP INDEX CONCURRENTLY IF EXISTS study_by_accession;

-- reclaim_import_slots: page by page, and each one's live ticket. Both stay small, and exact when the tables'
-- statistics are older than the queue.
CREATE INDEX CONCURRENTLY IF NOT EXISTS series_transfer_not_over_by_pk ON series_transfer (pk)
    WHERE state <> 'OVER';
DROP INDEX CONCURRENTLY IF EXISTS series_transfer_not_over;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_of_series_transfer ON ahlijob (series_transfer_pk, pk);
DROP INDEX CONCURRENTLY IF EXISTS ahlijob_by_series_transfer;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_live_of_series_transfer ON ahlijob (series_transfer_pk)
    WHERE state IN ('WAITING', 'GRANTED', 'STARTING', 'RUNNING');

-- Gauges and expectations.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_out_of_order ON ahlijob (granted_at) WHERE unknown_predecessor;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_started ON ahlijob (running_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahlijob_ended ON ahlijob (datastore_id, import_over_at DESC)
    WHERE import_over_at IS NOT NULL AND granted_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahliimageset_by_series_transfer ON ahliimageset (series_transfer_pk);
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahliimageset_by_image_set ON ahliimageset (image_set_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS ahliimageset_created ON ahliimageset (created_at);

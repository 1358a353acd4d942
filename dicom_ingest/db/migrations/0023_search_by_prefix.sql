-- outside a transaction
-- People type the beginning of an accession number, a patient id or a name, in whatever case.
CREATE INDEX CONCURRENTLY IF NOT EXISTS study_by_accession_prefix
    ON study (left(lower(accession_number), 64) text_pattern_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS patient_by_id_prefix
    ON patient (left(lower(patient_id), 64) text_pattern_ops);
CREATE INDEX CONCURRENTLY IF NOT EXISTS patient_by_name_prefix
    ON patient (left(lower(patient_name), 64) text_pattern_ops);

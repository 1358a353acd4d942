-- What HealthImaging compares when it decides whether instances conflict, as this transfer carried it:
-- the rows of `study` and `series` hold the newest values only.
ALTER TABLE series_transfer ADD COLUMN conflict_attributes jsonb NOT NULL DEFAULT '{}';
-- What is odd about it and a person may want to know; nothing of it stopped the import.
ALTER TABLE series_transfer ADD COLUMN findings text[] NOT NULL DEFAULT '{}';

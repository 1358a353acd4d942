-- What an operator did, who it was and why; and what an operator has accepted as it is.
CREATE TABLE operator_action (
    pk bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    action text NOT NULL,
    series_transfer_pk bigint REFERENCES series_transfer,
    datastore_id text,
    reason text NOT NULL DEFAULT ''
);
CREATE INDEX operator_action_of_series_transfer ON operator_action (series_transfer_pk, pk);
CREATE INDEX operator_action_of_datastore ON operator_action (datastore_id, action, pk);
-- Older than over_at: the series has ended once more since, and needs attention again.
ALTER TABLE series_transfer ADD COLUMN acknowledged_at timestamptz;

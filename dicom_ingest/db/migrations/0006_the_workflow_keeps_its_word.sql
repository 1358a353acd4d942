-- Imports that failed as a whole one after another, with nothing imported between them: they close the gate.
ALTER TABLE semaphore ADD COLUMN failed_imports integer NOT NULL DEFAULT 0;

-- When the state that sent the task token was entered, and its retry: an older token never replaces a newer one.
ALTER TABLE ahlijob ADD COLUMN token_at timestamptz, ADD COLUMN token_retry integer;

-- The ticket whose import wrote the verdict: a new import is judged by its own results alone.
ALTER TABLE instance_transfer ADD COLUMN ahlijob_pk bigint;

ALTER TABLE series_transfer
    -- An older version was imported over this one, so its event has to go through the workflow once more.
    ADD COLUMN queue_again boolean NOT NULL DEFAULT false,
    -- The execution whose work the times tell of, and when it began: a later one may have found nothing to do.
    ADD COLUMN told_execution text,
    ADD COLUMN begun_at timestamptz;
CREATE INDEX series_transfer_queue_again ON series_transfer (pk) WHERE queue_again;

-- Executions that came after a series transfer was over: replays and repeated events. Its own times stay as they are.
CREATE TABLE later_execution (
    series_transfer_pk bigint NOT NULL REFERENCES series_transfer ON DELETE CASCADE,
    execution text NOT NULL,
    replay_name text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    over_at timestamptz,
    outcome text,
    outcome_detail text,
    PRIMARY KEY (series_transfer_pk, execution)
);

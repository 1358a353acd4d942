-- Which data store is the configured one: the last that a deploy configured. Tickets that wait for another are
-- stranded: nobody grants them a slot any more.
ALTER TABLE semaphore ADD COLUMN configured_at timestamptz NOT NULL DEFAULT clock_timestamp();

-- A cancelled ticket keeps its token until its execution has been told.
CREATE INDEX ahlijob_untold ON ahlijob (pk) WHERE state = 'CANCELLED' AND task_token IS NOT NULL;

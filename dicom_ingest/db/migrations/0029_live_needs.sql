-- The most slots that live series needed at once, by hour of the day (UTC): a migration leaves them free.
ALTER TABLE semaphore
    ADD COLUMN live_needs integer[] NOT NULL DEFAULT array_fill(0, ARRAY[24])
        CHECK (array_length(live_needs, 1) = 24),
    ADD COLUMN live_needs_hour timestamptz; -- the hour that was written last

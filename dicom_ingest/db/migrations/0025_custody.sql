-- What was stored where it is not what was received, what was foretold of it, and the chain of manifests.
ALTER TABLE instance
    ADD COLUMN stored_transfer_syntax_uid text, -- all three null: the object is the file that was received
    ADD COLUMN stored_bytes bigint,
    ADD COLUMN stored_sha256 text;
ALTER TABLE instance_transfer
    ADD COLUMN stored_transfer_syntax_uid text,
    ADD COLUMN stored_bytes bigint,
    ADD COLUMN stored_sha256 text,
    ADD COLUMN calling_ae text, -- null: that of the series transfer
    -- What the edge foretold of its import: [{code, tag, length}], codes of contracts/preflight; null: nothing.
    ADD COLUMN foretold jsonb;
ALTER TABLE series_transfer
    ADD COLUMN chain_id uuid, -- the manifest's place in its edge's chain; null: it has none
    ADD COLUMN chain_number bigint,
    ADD COLUMN chain_previous_sha256 text; -- null: the chain begins here

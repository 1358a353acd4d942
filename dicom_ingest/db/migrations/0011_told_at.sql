-- When a value was told that is older than its row: by keyword. A transfer that lacks an attribute erases none, and
-- transfers may come in any order.
ALTER TABLE patient ADD COLUMN told_at jsonb NOT NULL DEFAULT '{}';
ALTER TABLE study ADD COLUMN told_at jsonb NOT NULL DEFAULT '{}';
ALTER TABLE series ADD COLUMN told_at jsonb NOT NULL DEFAULT '{}';

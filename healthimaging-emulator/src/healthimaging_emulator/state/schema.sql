-- State of the emulator. Times are epoch seconds. Documents are zlib-compressed JSON.

CREATE TABLE IF NOT EXISTS datastore (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  details TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS tag (
  arn TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (arn, key)
);

CREATE TABLE IF NOT EXISTS client_token (
  scope TEXT NOT NULL,
  token TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  answer TEXT NOT NULL,
  used_at REAL NOT NULL,
  PRIMARY KEY (scope, token)
);

CREATE TABLE IF NOT EXISTS job (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  datastore_id TEXT NOT NULL,
  name TEXT,
  status TEXT NOT NULL,
  role_arn TEXT NOT NULL,
  input_uri TEXT NOT NULL,
  output_uri TEXT NOT NULL,
  sent_output_uri TEXT NOT NULL,
  configuration TEXT,
  submitted_at REAL NOT NULL,
  ended_at REAL,
  message TEXT,
  organised INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS job_by_datastore ON job (datastore_id, status);

-- What a running import has read so far: one row per file, in key order.
CREATE TABLE IF NOT EXISTS staged (
  job_id TEXT NOT NULL,
  key TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  study_identity TEXT NOT NULL,
  series_identity TEXT NOT NULL,
  levels BLOB NOT NULL,
  document BLOB NOT NULL,
  document_size INTEGER NOT NULL,
  blob TEXT,
  header BLOB NOT NULL,
  warnings TEXT NOT NULL,
  image_set_id TEXT,
  image_set_version INTEGER,
  is_primary INTEGER,
  PRIMARY KEY (job_id, key)
);
CREATE INDEX IF NOT EXISTS staged_by_series ON staged (job_id, series_uid);
CREATE INDEX IF NOT EXISTS staged_by_image_set ON staged (job_id, image_set_id);
CREATE INDEX IF NOT EXISTS staged_by_blob ON staged (blob);

CREATE TABLE IF NOT EXISTS refused (
  job_id TEXT NOT NULL,
  key TEXT NOT NULL,
  exception_type TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job_id, key)
);

CREATE TABLE IF NOT EXISTS image_set (
  id TEXT PRIMARY KEY,
  datastore_id TEXT NOT NULL,
  study_uid TEXT NOT NULL,
  series_uid TEXT NOT NULL,
  study_identity TEXT NOT NULL,
  series_identity TEXT NOT NULL,
  is_primary INTEGER NOT NULL,
  version INTEGER NOT NULL,
  state TEXT NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  last_accessed_at REAL NOT NULL,
  deleted_at REAL,
  study_at TEXT NOT NULL,
  tags TEXT NOT NULL,
  -- 1: the attributes of a level were changed after the import.
  levels_updated INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS image_set_by_series ON image_set (datastore_id, series_uid);
CREATE INDEX IF NOT EXISTS image_set_by_study ON image_set (datastore_id, study_uid);

CREATE TABLE IF NOT EXISTS image_set_version (
  image_set_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  workflow_status TEXT NOT NULL,
  updated_at REAL,
  message TEXT,
  forced INTEGER,
  is_primary INTEGER NOT NULL,
  levels BLOB NOT NULL,
  PRIMARY KEY (image_set_id, version)
);

-- An instance belongs to the versions since <= version < until (NULL: still there).
CREATE TABLE IF NOT EXISTS instance (
  id INTEGER PRIMARY KEY,
  image_set_id TEXT NOT NULL,
  sop_uid TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER,
  document BLOB NOT NULL,
  blob TEXT,
  -- The received Part 10 file without its pixel data, zlib-compressed: DICOMweb builds instances from it.
  -- Where no frame could be extracted, `blob` is the whole file.
  header BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS instance_by_image_set ON instance (image_set_id, sop_uid);
CREATE INDEX IF NOT EXISTS instance_by_blob ON instance (blob);

CREATE TABLE IF NOT EXISTS frame (
  id TEXT PRIMARY KEY,
  blob TEXT NOT NULL,
  position INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  transfer_syntax TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS frame_by_blob ON frame (blob);

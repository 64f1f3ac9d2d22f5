-- Token buckets of the HTTP API, which its environments share.

CREATE TABLE IF NOT EXISTS request_limits (
  bucket  VARCHAR(96) NOT NULL PRIMARY KEY COMMENT 'who is limited and in what, such as user-1/requests',
  full_at DATETIME(6) NOT NULL COMMENT 'when the bucket is full again if nothing more is taken; a past time means full',
  KEY due_purge (full_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

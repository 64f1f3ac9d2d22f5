-- For the allocation API: pages of a list, the random strategy, idempotency keys.

-- Pages of a user's allocations, newest first.
ALTER TABLE allocations
  DROP KEY by_user,
  ADD KEY by_user (user_id, allocated_at, id);

-- A hash that gives devices a random order: the random strategy picks the next free device from a
-- random value.
ALTER TABLE devices
  ADD COLUMN lot INT UNSIGNED AS (CRC32(id)) STORED,
  ADD KEY lottery (status, health, lot, id);

CREATE TABLE idempotency_keys (
  user_id         VARCHAR(64)  NOT NULL,
  idempotency_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request_sha256  BINARY(32)   NOT NULL,
  allocation_id   CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at      DATETIME(6)  NOT NULL,
  PRIMARY KEY (user_id, idempotency_key),
  KEY due_purge (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

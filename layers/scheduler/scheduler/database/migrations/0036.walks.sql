-- Housekeeping walks through large tables in parts, a bounded number of rows a minute.

CREATE TABLE IF NOT EXISTS housekeeping_walks (
  name     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  position VARCHAR(64) NOT NULL DEFAULT '' COMMENT 'the last key that was taken; empty = at the beginning',
  counted  BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'what a counting walk has counted since its beginning'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- The brake compares with this number instead of counting the devices for each batch.
ALTER TABLE mass_failure_brake
  ADD COLUMN IF NOT EXISTS running INT UNSIGNED NULL COMMENT 'running devices at the last count; NULL = not counted yet',
  ADD COLUMN IF NOT EXISTS counted_at DATETIME(6) NULL;

INSERT INTO mass_failure_brake (id, running, counted_at)
SELECT 1, COUNT(*), UTC_TIMESTAMP(6) FROM devices WHERE health = 'running'
ON DUPLICATE KEY UPDATE running = VALUES(running), counted_at = VALUES(counted_at);

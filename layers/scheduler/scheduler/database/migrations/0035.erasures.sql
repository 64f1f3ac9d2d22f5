-- Erasures of deleted users: begun with user.deleted, finished by housekeeping.

CREATE TABLE IF NOT EXISTS erasures (
  user_id      VARCHAR(64) NOT NULL PRIMARY KEY,
  requested_at DATETIME(6) NOT NULL,
  finished_at  DATETIME(6) NULL COMMENT 'nothing but ids is left; NULL = housekeeping is at it',
  KEY unfinished (finished_at, requested_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Of users who were deleted before, texts of sent notifications and more were kept.
INSERT IGNORE INTO erasures (user_id, requested_at)
SELECT id, UTC_TIMESTAMP(6) FROM users WHERE status = 'deleted';

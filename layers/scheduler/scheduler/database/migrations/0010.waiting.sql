-- The waiting line. A transaction that changes an entry has locked the row of its user.

CREATE TABLE waiting (
  id            CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'also the id of the allocation it leads to',
  user_id       VARCHAR(64)       NOT NULL,
  priority      TINYINT UNSIGNED  NOT NULL DEFAULT 0 COMMENT 'the highest is served first',
  minutes       SMALLINT UNSIGNED NOT NULL COMMENT 'how long the device is wanted',
  min_cpu_cores INT UNSIGNED      NOT NULL,
  min_memory_mb INT UNSIGNED      NOT NULL,
  status        ENUM('WAITING','SERVED','CANCELLED','EXPIRED','REMOVED') NOT NULL DEFAULT 'WAITING',
  created_at    DATETIME(6)       NOT NULL,
  expires_at    DATETIME(6)       NOT NULL,
  ended_at      DATETIME(6)       NULL,
  KEY line (status, priority DESC, created_at, id),
  KEY by_user (user_id, status, created_at),
  KEY due_expiry (status, expires_at),
  KEY due_purge (ended_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

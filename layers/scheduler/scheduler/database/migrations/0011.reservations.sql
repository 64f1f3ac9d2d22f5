-- Reservations: each has its own device for its slot.

CREATE TABLE reservations (
  id            CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'also the id of the allocation it leads to',
  user_id       VARCHAR(64)  NOT NULL,
  device_id     VARCHAR(64)  NOT NULL COMMENT 'promised; another one will do if it is not free at the start',
  starts_at     DATETIME(6)  NOT NULL,
  ends_at       DATETIME(6)  NOT NULL,
  min_cpu_cores INT UNSIGNED NOT NULL,
  min_memory_mb INT UNSIGNED NOT NULL,
  status        ENUM('RESERVED','STARTED','CANCELLED','FAILED') NOT NULL DEFAULT 'RESERVED',
  created_at    DATETIME(6)  NOT NULL,
  ended_at      DATETIME(6)  NULL,
  KEY due_start (status, starts_at),
  KEY calendar (device_id, status, starts_at, ends_at),
  KEY by_user (user_id, status, starts_at),
  KEY due_purge (ended_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Rows that are locked to exclude each other. While a request searches a free slot, it holds the row
-- of reservations, so that two requests cannot take the last slot.
CREATE TABLE mutexes (
  name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY
) ENGINE=InnoDB;

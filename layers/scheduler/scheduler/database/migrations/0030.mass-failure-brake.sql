-- The mass-failure brake: its state, and the releases of the last minute.

CREATE TABLE mass_failure_brake (
  id         TINYINT UNSIGNED NOT NULL PRIMARY KEY COMMENT 'always 1',
  engaged_at DATETIME(6) NULL COMMENT 'releases are held since then',
  engaged_by ENUM('limit','operator') NULL,
  open_until DATETIME(6) NULL COMMENT 'everything is let through until then'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- A ring buffer: each second overwrites the one a minute before. Each queue has its own rows, so that
-- two consumers never wait for each other.
CREATE TABLE mass_failure_seconds (
  queue    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  slot     TINYINT UNSIGNED NOT NULL COMMENT 'second of the minute',
  second   DATETIME     NOT NULL,
  released INT UNSIGNED NOT NULL COMMENT 'devices',
  held     INT UNSIGNED NOT NULL COMMENT 'messages',
  PRIMARY KEY (queue, slot)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- What was reported about a device and does not count yet: it is deleted, and may have been created again before the
-- report, or the mass-failure brake holds the report.

CREATE TABLE IF NOT EXISTS early_reports (
  device_id   VARCHAR(64)     NOT NULL PRIMARY KEY,
  health      ENUM('running','stopped','error','failed','maintenance','unknown') NOT NULL,
  occurred_at DATETIME(6)     NOT NULL,
  version     BIGINT UNSIGNED NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- What was reported about a deleted device, in case that it was created again before the report.

CREATE TABLE IF NOT EXISTS early_reports (
  device_id   VARCHAR(64)     NOT NULL PRIMARY KEY,
  health      ENUM('running','stopped','error','failed','maintenance','unknown') NOT NULL,
  occurred_at DATETIME(6)     NOT NULL,
  version     BIGINT UNSIGNED NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

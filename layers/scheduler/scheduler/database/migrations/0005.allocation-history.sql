-- Who allocated a device, released it and extended the allocation. NULL: a scheduled job, or an
-- allocation from before this migration.

ALTER TABLE allocations
  ADD COLUMN allocated_by VARCHAR(255) NULL COMMENT 'user:<id> or event:<queue>:<message id>',
  ADD COLUMN released_by  VARCHAR(255) NULL COMMENT 'likewise';

CREATE TABLE allocation_extensions (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  allocation_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  extended_at   DATETIME(6)  NOT NULL,
  expires_at    DATETIME(6)  NOT NULL,
  extended_by   VARCHAR(255) NULL COMMENT 'as allocations.released_by',
  KEY of_allocation (allocation_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

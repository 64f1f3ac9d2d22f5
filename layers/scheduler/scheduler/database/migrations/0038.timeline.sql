-- For the timeline of a user or device: which message had which effect, and what became of the messages without one.

ALTER TABLE processed_messages
  ADD COLUMN IF NOT EXISTS outcome        ENUM('applied','outdated') NULL COMMENT 'NULL before this column',
  ADD COLUMN IF NOT EXISTS aggregate      ENUM('user','device') NULL,
  ADD COLUMN IF NOT EXISTS subject_id     VARCHAR(64)  NULL COMMENT 'the user or device; NULL after a user was deleted',
  ADD COLUMN IF NOT EXISTS correlation_id VARCHAR(255) NULL,
  ADD COLUMN IF NOT EXISTS publisher      VARCHAR(255) NULL COMMENT 'app-id or user-id of the message',
  ADD KEY IF NOT EXISTS by_subject (aggregate, subject_id, processed_at);

-- One row for each message and outcome, however often it comes: a redelivered batch adds no rows.
CREATE TABLE IF NOT EXISTS unapplied_messages (
  queue          VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_id     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  outcome        ENUM('duplicate','retried','held','dead_lettered','given_up') NOT NULL,
  aggregate      ENUM('user','device') NOT NULL,
  subject_id     VARCHAR(64)  NULL COMMENT 'NULL if the body names none',
  times          INT UNSIGNED NOT NULL DEFAULT 1,
  first_at       DATETIME(6)  NOT NULL,
  last_at        DATETIME(6)  NOT NULL,
  error          VARCHAR(500) NULL,
  correlation_id VARCHAR(255) NULL,
  publisher      VARCHAR(255) NULL,
  PRIMARY KEY (queue, message_id, outcome),
  KEY by_subject (aggregate, subject_id, last_at),
  KEY due_purge (last_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

ALTER TABLE notifications
  ADD COLUMN IF NOT EXISTS caused_by      VARCHAR(255) NULL COMMENT 'as allocations.allocated_by',
  ADD COLUMN IF NOT EXISTS correlation_id VARCHAR(255) NULL COMMENT 'of the message that caused it',
  ADD COLUMN IF NOT EXISTS traceparent    CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'likewise; W3C Trace Context',
  ADD COLUMN IF NOT EXISTS allocation_id  CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'that it is about',
  ADD KEY IF NOT EXISTS of_allocation (allocation_id);

ALTER TABLE outgoing_events
  ADD COLUMN IF NOT EXISTS caused_by      VARCHAR(255) NULL COMMENT 'as allocations.allocated_by',
  ADD COLUMN IF NOT EXISTS correlation_id VARCHAR(255) NULL COMMENT 'of the message that caused it',
  ADD COLUMN IF NOT EXISTS traceparent    CHAR(55) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'likewise; W3C Trace Context',
  ADD COLUMN IF NOT EXISTS allocation_id  CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD KEY IF NOT EXISTS of_allocation (allocation_id);

ALTER TABLE allocations
  ADD KEY IF NOT EXISTS by_device (device_id, allocated_at, id);

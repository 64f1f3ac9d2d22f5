-- The tables of the product. All times are UTC. Collations do not pad: 'a' and 'a ' differ.
-- No foreign keys: their shared locks on parents would deadlock bulk writers of different queues.

CREATE TABLE users (
  id            VARCHAR(64)  NOT NULL PRIMARY KEY,
  status        ENUM('active','suspended','deleted') NOT NULL DEFAULT 'active',
  billing_hold  BOOLEAN      NOT NULL DEFAULT FALSE,
  max_devices   INT UNSIGNED NOT NULL,
  max_cpu       INT UNSIGNED NULL COMMENT 'cores; NULL = no limit',
  max_memory_mb INT UNSIGNED NULL COMMENT 'NULL = no limit',
  email         VARCHAR(254) NULL,
  phone         VARCHAR(20)  NULL COMMENT 'E.164',
  locale        ENUM('zh-CN','en') NOT NULL DEFAULT 'zh-CN',
  created_at    DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE devices (
  id                VARCHAR(64)  NOT NULL PRIMARY KEY,
  name              VARCHAR(128) NOT NULL,
  status            ENUM('available','allocated') NOT NULL DEFAULT 'available',
  health            ENUM('running','stopped','error','failed','maintenance','deleted') NOT NULL DEFAULT 'running',
  cpu_cores         INT UNSIGNED NOT NULL DEFAULT 0 COMMENT '0 = unknown',
  memory_mb         INT UNSIGNED NOT NULL DEFAULT 0 COMMENT '0 = unknown',
  storage_mb        INT UNSIGNED NOT NULL DEFAULT 0 COMMENT '0 = unknown',
  adb_host          VARCHAR(255) NULL,
  adb_port          SMALLINT UNSIGNED NULL,
  last_allocated_at DATETIME(6)  NULL,
  created_at        DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  KEY best_fit (status, health, cpu_cores, memory_mb, id),
  KEY longest_unused (status, health, last_allocated_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE allocations (
  id               CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  user_id          VARCHAR(64) NOT NULL,
  device_id        VARCHAR(64) NOT NULL,
  status           ENUM('ALLOCATED','RELEASED','EXPIRED') NOT NULL,
  allocated_at     DATETIME(6) NOT NULL,
  expires_at       DATETIME(6) NOT NULL,
  released_at      DATETIME(6) NULL,
  duration_seconds INT UNSIGNED NULL,
  release_code     VARCHAR(32) NULL,
  release_reason   VARCHAR(512) NULL,
  active_device_id VARCHAR(64) AS (IF(status = 'ALLOCATED', device_id, NULL)) STORED,
  UNIQUE KEY one_holder_per_device (active_device_id),
  KEY active_by_user (user_id, status, allocated_at),
  KEY by_user (user_id, id),
  KEY due_expiry (status, expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE event_versions (
  aggregate   ENUM('user','device') NOT NULL,
  id          VARCHAR(64)  NOT NULL,
  concern     ENUM('account','quota','billing','health','creation') NOT NULL,
  version     BIGINT UNSIGNED NULL,
  occurred_at DATETIME(6)  NOT NULL,
  PRIMARY KEY (aggregate, id, concern)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE processed_messages (
  queue        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_id   VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  body_sha256  BINARY(32)   NOT NULL,
  processed_at DATETIME(6)  NOT NULL,
  PRIMARY KEY (queue, message_id),
  KEY due_purge (processed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE delivery_attempts (
  queue      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_id VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  attempts   INT UNSIGNED NOT NULL,
  last_at    DATETIME(6)  NOT NULL,
  PRIMARY KEY (queue, message_id),
  KEY due_purge (last_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE notifications (
  id         CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  user_id    VARCHAR(64)  NOT NULL,
  type       VARCHAR(32)  NOT NULL,
  title      VARCHAR(200) NOT NULL,
  message    TEXT         NOT NULL,
  data       JSON         NOT NULL,
  dedupe_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(6)  NOT NULL,
  read_at    DATETIME(6)  NULL,
  UNIQUE KEY once (dedupe_key),
  KEY inbox (user_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE notification_deliveries (
  id                  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  notification_id     CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel             ENUM('websocket','email','sms') NOT NULL,
  status              ENUM('pending','sent','skipped','failed') NOT NULL DEFAULT 'pending',
  attempts            INT UNSIGNED NOT NULL DEFAULT 0,
  next_attempt_at     DATETIME(6)  NOT NULL,
  last_error          VARCHAR(500) NULL,
  provider_message_id VARCHAR(200) NULL,
  sent_at             DATETIME(6)  NULL,
  UNIQUE KEY one_per_channel (notification_id, channel),
  KEY due (status, next_attempt_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE outgoing_events (
  id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  routing_key  VARCHAR(64) NOT NULL,
  body         JSON        NOT NULL,
  created_at   DATETIME(6) NOT NULL,
  published_at DATETIME(6) NULL,
  KEY unpublished (published_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Messages whose publisher gave no id, and the ids given to them when they were first received.

CREATE TABLE IF NOT EXISTS unidentified_messages (
  queue          VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_id     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  content_sha256 BINARY(32)   NOT NULL,
  received_at    DATETIME(6)  NOT NULL,
  PRIMARY KEY (queue, message_id),
  KEY content (queue, content_sha256, received_at),
  KEY due_purge (received_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

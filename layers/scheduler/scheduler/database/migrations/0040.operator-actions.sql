-- What operators changed through the operations function: who, when, what, and how it ended.

CREATE TABLE IF NOT EXISTS operator_actions (
  id        BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  caller    VARCHAR(512)  NOT NULL COMMENT 'ARN of the AWS identity that signed the request',
  operation VARCHAR(64)   NOT NULL,
  arguments JSON          NOT NULL COMMENT 'without bodies of messages',
  began_at  DATETIME(6)   NOT NULL,
  ended_at  DATETIME(6)   NULL COMMENT 'NULL: it runs, or the function was stopped',
  result    VARCHAR(1000) NULL COMMENT 'ok, or the error',
  KEY due_purge (began_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

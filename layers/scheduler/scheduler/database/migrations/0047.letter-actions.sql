-- For the timeline: what operators did to each dead letter. Only the operations function inserts.

CREATE TABLE IF NOT EXISTS letter_actions (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  queue      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_id VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'as in unapplied_messages',
  action     ENUM('replayed','edited','discarded') NOT NULL,
  new_id     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of the message with the edited body',
  caller     VARCHAR(512) NOT NULL COMMENT 'as operator_actions.caller; login:NAME without the function',
  acted_at   DATETIME(6)  NOT NULL COMMENT 'before the letter was published or removed',
  aggregate  ENUM('user','device') NOT NULL,
  subject_id VARCHAR(64)  NULL COMMENT 'NULL if the body names none',
  KEY of_message (message_id, queue, acted_at),
  KEY of_new_message (new_id, queue),
  KEY by_subject (aggregate, subject_id, acted_at),
  KEY due_purge (acted_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

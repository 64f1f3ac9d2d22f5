-- Given ids are claimed by runs: a message whose run did not end comes again, with whatever batch.

ALTER TABLE unidentified_messages
  ADD COLUMN IF NOT EXISTS claimed_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) COMMENT 'when a run last received the message',
  ADD COLUMN IF NOT EXISTS parked_batch VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'like batch_key: of the batch in which the message was parked without an id',
  ADD COLUMN IF NOT EXISTS run_ended TINYINT(1) NOT NULL DEFAULT 1 COMMENT 'whether that run returned, so that the broker forgets the message',
  ADD COLUMN IF NOT EXISTS seen_late TINYINT(1) NOT NULL DEFAULT 0 COMMENT 'whether no run had seen the message before it was redelivered';

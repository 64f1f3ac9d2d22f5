-- The batch of a message without an id: an applied message comes again only with its whole batch.

ALTER TABLE unidentified_messages
  ADD COLUMN IF NOT EXISTS batch_key VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'the id or the hash of the first message of the batch';

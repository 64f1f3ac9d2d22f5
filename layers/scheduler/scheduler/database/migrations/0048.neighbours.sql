-- A message without an id is recognised by the messages next to it, if the broker returns it in another batch.

ALTER TABLE unidentified_messages
  ADD COLUMN IF NOT EXISTS key_before VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'like batch_key: of the message before it in the batch; empty if there is none, or an equal one',
  ADD COLUMN IF NOT EXISTS key_after VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'likewise, of the message after it';

-- Deliveries know their user and kind: claims take turns between users, and e-mails and SMS of a kind are limited.
-- Rows of the former release, which may still be running, have neither: they share one turn and are not limited.

ALTER TABLE notification_deliveries
  ADD COLUMN IF NOT EXISTS user_id VARCHAR(64) NOT NULL DEFAULT '',
  ADD COLUMN IF NOT EXISTS kind VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'key of the NoticeKind',
  ADD COLUMN IF NOT EXISTS digest_id BIGINT UNSIGNED NULL COMMENT 'the delivery whose message stands for this one; its own id: it is a digest',
  ADD KEY IF NOT EXISTS by_user (status, channel, user_id, next_attempt_at),
  ADD KEY IF NOT EXISTS digest (digest_id);

UPDATE notification_deliveries d JOIN notifications n ON n.id = d.notification_id
SET d.user_id = n.user_id
WHERE d.status = 'pending';

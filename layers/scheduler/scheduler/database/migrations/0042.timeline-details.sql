-- For the timeline: what a payment event counted, how long a message waited, and which messages were parked.

ALTER TABLE processed_messages
  ADD COLUMN IF NOT EXISTS detail VARCHAR(255) NULL COMMENT 'payments counted, and since when it waited';

ALTER TABLE unapplied_messages
  MODIFY COLUMN IF EXISTS outcome
    ENUM('duplicate','retried','held','dead_lettered','given_up','parked') NOT NULL;

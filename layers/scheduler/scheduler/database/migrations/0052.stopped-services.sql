-- A stop by failed payments does not always change the hold, so a payment whose count it overtook is counted again by this.

ALTER TABLE users
  ADD COLUMN IF NOT EXISTS stopped_at DATETIME(6) NULL COMMENT 'when a billing hold was last set';

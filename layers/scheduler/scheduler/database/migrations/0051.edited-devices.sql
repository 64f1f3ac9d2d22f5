-- What an administrator has changed by the API is not replaced by an older device.created.

ALTER TABLE devices
  ADD COLUMN IF NOT EXISTS edited_at DATETIME(6) NULL COMMENT 'when the API last changed its name, size or adb address';

-- Events without a version are older or newer than those with one by their time only.

ALTER TABLE event_versions
  ADD COLUMN IF NOT EXISTS unversioned_at DATETIME(6) NULL COMMENT 'the newest time of an event without a version, if others had one';

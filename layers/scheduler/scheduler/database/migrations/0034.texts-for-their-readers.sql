-- Texts for their readers: times in the user's zone, and the parameters of a release reason, so that the API shows it
-- in the caller's language.

ALTER TABLE users
  ADD COLUMN IF NOT EXISTS time_zone VARCHAR(64) NULL COMMENT 'IANA name; NULL = the zone of their quiet hours, else of their locale';

ALTER TABLE allocations
  ADD COLUMN IF NOT EXISTS release_details JSON NULL COMMENT 'key and parameters of the text in release_reason; NULL before this column';

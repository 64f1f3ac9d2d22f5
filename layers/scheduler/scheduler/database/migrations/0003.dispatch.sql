-- For the notification dispatcher: claims, urgency, and the preferences of users.

ALTER TABLE notification_deliveries
  ADD COLUMN claimed_until DATETIME(6) NULL COMMENT 'a dispatcher is at it; after that time anybody may take it over',
  DROP KEY due,
  ADD KEY due (status, channel, next_attempt_at);

ALTER TABLE notifications
  ADD COLUMN urgent BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'account-critical: quiet hours do not hold it back';

CREATE TABLE notification_preferences (
  user_id     VARCHAR(64) NOT NULL PRIMARY KEY,
  channels    JSON        NOT NULL COMMENT '{"<type>": {"<channel>": true}}; what is absent is as the contract says',
  quiet_from  TIME        NULL,
  quiet_until TIME        NULL,
  time_zone   VARCHAR(64) NULL COMMENT 'IANA name; NULL = no quiet hours'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- A state that the device service reports and this service has no word for: outside the pool.

ALTER TABLE devices
  MODIFY health ENUM('running','stopped','error','failed','maintenance','deleted','unknown') NOT NULL DEFAULT 'running';

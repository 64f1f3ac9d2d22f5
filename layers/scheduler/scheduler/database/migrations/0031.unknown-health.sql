-- Unknown stands for any state that the device service reports and this service does not know. Such
-- devices are not in the pool.

ALTER TABLE devices
  MODIFY health ENUM('running','stopped','error','failed','maintenance','deleted','unknown') NOT NULL DEFAULT 'running';

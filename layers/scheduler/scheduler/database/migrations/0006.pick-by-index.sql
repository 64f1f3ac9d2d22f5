-- Devices that are too small are skipped in the index, without reading and locking their rows.

ALTER TABLE devices
  DROP KEY longest_unused,
  ADD KEY longest_unused (status, health, last_allocated_at, id, cpu_cores, memory_mb),
  DROP KEY lottery,
  ADD KEY lottery (status, health, lot, id, cpu_cores, memory_mb);

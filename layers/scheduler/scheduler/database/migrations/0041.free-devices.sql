-- The pool's indices lead with one column that tells whether a device can be allocated. A device that fails while it is
-- held touches no index, because it is not free before and after.

ALTER TABLE devices
  ADD COLUMN IF NOT EXISTS free BOOLEAN AS (status = 'available' AND health = 'running') STORED,
  DROP KEY IF EXISTS best_fit,
  ADD KEY best_fit (free, cpu_cores, memory_mb, id),
  DROP KEY IF EXISTS longest_unused,
  ADD KEY longest_unused (free, last_allocated_at, id, cpu_cores, memory_mb),
  DROP KEY IF EXISTS lottery,
  ADD KEY lottery (free, lot, id, cpu_cores, memory_mb);

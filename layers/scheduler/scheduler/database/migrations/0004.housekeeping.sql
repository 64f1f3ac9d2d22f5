-- For purging: rows past their retention are found by a range of an index.

ALTER TABLE allocations
  ADD KEY due_purge (released_at);

ALTER TABLE notifications
  ADD KEY due_purge (created_at);

-- What housekeeping needs: whatever is too old is found by a range of an index.

ALTER TABLE allocations
  ADD KEY due_purge (released_at);

ALTER TABLE notifications
  ADD KEY due_purge (created_at);

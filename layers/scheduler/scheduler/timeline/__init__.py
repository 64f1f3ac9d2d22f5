"""The timeline of a user or device: everything that happened to them, in one list."""

"""The console: a page for engineers who watch the platform on their machine."""

"""Scheduled jobs, run every minute: expiry, the waiting line, reconciling, measuring, purging."""

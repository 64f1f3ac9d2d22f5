"""The layer that all functions share: messaging, rules, database, notifications."""

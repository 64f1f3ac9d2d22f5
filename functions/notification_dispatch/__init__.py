"""Sends notifications to users and publishes events to other services."""

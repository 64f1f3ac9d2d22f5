"""The line of those who wait for a device."""

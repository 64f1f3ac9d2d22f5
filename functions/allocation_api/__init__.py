"""The HTTP API: devices are requested, released and looked up."""

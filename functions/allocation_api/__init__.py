"""The HTTP API: devices asked for, given back and looked up."""

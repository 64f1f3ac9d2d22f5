"""The whole platform on one machine: servers, event source mappings, gateway, console."""

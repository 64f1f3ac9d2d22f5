"""Users: state, quota, contact."""

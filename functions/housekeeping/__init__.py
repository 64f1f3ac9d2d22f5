"""Runs every minute: ends what is over, warns, puts right, measures, throws away."""

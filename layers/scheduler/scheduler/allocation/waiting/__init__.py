"""The line of those for whom no device was free: who stands where, and who is served."""

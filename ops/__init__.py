"""The command line of those who operate the scheduler."""

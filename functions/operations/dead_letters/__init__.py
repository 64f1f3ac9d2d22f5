"""Reading, describing, replaying and discarding dead letters, without the command line."""

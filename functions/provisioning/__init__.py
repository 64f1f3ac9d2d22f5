"""The custom resource that sets up database and broker for the functions."""

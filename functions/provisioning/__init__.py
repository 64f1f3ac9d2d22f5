"""The custom resource that makes database and broker ready for the functions."""

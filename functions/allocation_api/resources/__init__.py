"""The resources of the API: each module holds models, reads, routes and their access rules."""

"""The HTTP API: app factory, errors, and one file a group of routes."""

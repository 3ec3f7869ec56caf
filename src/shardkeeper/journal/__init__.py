"""Adapter: outcomes that wait for PostgreSQL, in a local file."""

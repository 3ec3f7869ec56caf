"""Adapter: settings from one TOML file, environment variables and secret files (pydantic-settings)."""

"""Adapter: Slack, through slack-sdk."""

"""Options that many commands share, each with one meaning."""

from __future__ import annotations

import click

as_json = click.option("--json", is_flag=True, help="Print JSON.")

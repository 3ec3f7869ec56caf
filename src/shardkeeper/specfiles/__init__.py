"""Adapter: spec files in YAML, judged by a JSON Schema."""

from __future__ import annotations

from shardkeeper.specfiles.dumping import dump_specs
from shardkeeper.specfiles.loading import FileProblem, SpecFilesInvalid, load_spec_files, load_spec_texts

__all__ = ["FileProblem", "SpecFilesInvalid", "dump_specs", "load_spec_files", "load_spec_texts"]

"""Names and patterns that several modules must agree on."""

from __future__ import annotations

import re

SUITE_SUFFIX = ".dust.yaml"
"""The end of every suite file's name."""
LEFT_TO_GATE = "left to [gate "
"""Beginning of the reason of a case that failed, and whose app's gate decides whether that counts."""
LATEST = "latest"
"""The specification hash that stands for the version saved last."""
HASH = re.compile(r"[0-9a-fA-F]{64}")
"""A specification hash that pins a version."""
KEY_VARIABLE = "DUST_API_KEY"
"""The environment variable that holds the API key."""
WORKSPACE_VARIABLE, SPACE_VARIABLE = "DUST_WORKSPACE_ID", "DUST_SPACE_ID"
"""The environment variables that name the workspace and the space."""

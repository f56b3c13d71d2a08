"""pytest-dust: regression tests for Dust apps, written as `*.dust.yaml` files."""

__version__ = "0.2.0"

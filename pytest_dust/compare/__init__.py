"""Compare two values or two runs: where they differ, and in which block that begins."""

"""What a suite expects of a run: paths, matchers, JSON equality, and the verdict."""

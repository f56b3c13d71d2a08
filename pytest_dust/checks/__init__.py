"""Check the expectations of a suite against a run: paths, matchers and their arguments."""

"""A case to its outcome: where its run comes from, the run, the verdict, and what is kept."""

"""Files on disk: their names, symbolic links, and reading the files that a suite names."""

"""Files on disk: names, symbolic links, reading what a suite names."""

"""The files of recorded runs: their format, where they are, whether they fit, which are orphans."""

"""A suite file, from text to cases."""

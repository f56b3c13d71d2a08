"""Read suite files: from text to cases."""

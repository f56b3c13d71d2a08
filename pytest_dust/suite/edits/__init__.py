"""Edit values in the text of a suite or a dataset; every other character stays as it is."""

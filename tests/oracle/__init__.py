"""An independent recomputation of the features in plain Python, written from the formulas and not from the SQL."""

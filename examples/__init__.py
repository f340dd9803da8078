"""Worked examples: what a user of the store writes. Nothing of the store imports them."""

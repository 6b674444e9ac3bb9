"""Measures the token path beside the floor of the same stack, in one run: `make bench`."""

"""One file for each target extension."""

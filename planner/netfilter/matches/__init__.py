"""One file for each match extension."""

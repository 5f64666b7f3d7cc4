"""Two states to typed changes."""

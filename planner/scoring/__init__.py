"""Findings to levels, by checkable statements."""

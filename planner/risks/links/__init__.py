"""Risks of changes to links and their addresses."""

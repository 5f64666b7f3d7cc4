"""Limits of tables and pools, against what is used of them."""

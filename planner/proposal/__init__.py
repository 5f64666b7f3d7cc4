"""Fragments to operations to the after-state at each horizon."""

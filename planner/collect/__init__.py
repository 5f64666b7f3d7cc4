"""Reads the machine: the only package besides `rehearse` that runs commands."""

"""Nouns to text and commands, file for file the mirror of `parse`. Pure."""

"""Text to nouns. Pure: no files, no commands, no clock."""

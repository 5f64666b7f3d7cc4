"""Whether a node is in the state that was predicted, and the commands that show it."""

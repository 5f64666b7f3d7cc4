"""What must stay true of a node's network: one file for each sentence."""

"""What must stay true of the network of a node: one file for each invariant."""

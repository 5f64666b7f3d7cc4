"""All packets at once: what two states of a node do with every packet, and where they differ."""

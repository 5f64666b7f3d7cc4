"""The data plane: what becomes of packets on a node."""

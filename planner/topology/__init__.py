"""What kind of network a node has."""

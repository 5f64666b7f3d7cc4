"""What iptables, its twins and their restore programs do to the rules of a node."""

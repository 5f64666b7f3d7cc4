"""Risks of the kubelet's configuration, as far as it reaches the network."""

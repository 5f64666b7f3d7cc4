"""Risks of the container network configuration in /etc/cni/net.d."""

"""netchange: plan for the network of Kubernetes nodes."""

__version__ = "0.1.0"

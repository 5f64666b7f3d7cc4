"""Commands of iproute2 and what they make of a node."""

from planner.proposal.ip.batch import read_ip_batch
from planner.proposal.ip.run import run_ip

__all__ = ["read_ip_batch", "run_ip"]

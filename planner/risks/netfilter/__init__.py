"""Risks of changes to packet filter rules, judged by the structure of chains."""

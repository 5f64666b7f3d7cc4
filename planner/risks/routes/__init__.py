"""Risks of changes to routes and policy rules, judged by their structure."""

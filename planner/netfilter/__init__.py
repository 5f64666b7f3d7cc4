"""The language of iptables rules: syntax is open, one file for each extension."""

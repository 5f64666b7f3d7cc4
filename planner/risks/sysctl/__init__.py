"""What is known to go wrong with sysctls: one file for each risk."""

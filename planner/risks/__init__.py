"""What is known to go wrong: one file for each risk, found by walking the package."""

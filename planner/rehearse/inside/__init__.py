"""What runs inside a stage: one small program of the standard library only, alone in its namespaces."""

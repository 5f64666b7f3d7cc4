"""The language of sysctls: how keys are named, how the kernel reads numbers, and what is known of each key."""

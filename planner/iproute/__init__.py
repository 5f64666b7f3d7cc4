"""What the kernel makes of the commands of iproute2. Pure: states in, states out."""

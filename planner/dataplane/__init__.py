"""What becomes of packets: each step of a packet's way is defined here once."""

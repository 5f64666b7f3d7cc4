"""Sets of packets: an algebra over headers."""

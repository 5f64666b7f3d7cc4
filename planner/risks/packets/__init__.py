"""What the comparison of all packets before and after says, where no other risk has said it."""

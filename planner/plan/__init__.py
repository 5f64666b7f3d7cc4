"""Steps in a safe order, each with its way back."""

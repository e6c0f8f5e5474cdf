"""Random numbers in blocks, and what they do to actions."""

"""What all algorithms have in common: members learned as one, and the agent before them."""

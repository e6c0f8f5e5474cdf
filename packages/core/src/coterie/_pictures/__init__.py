"""Pictures of many instances in one, and films of them."""

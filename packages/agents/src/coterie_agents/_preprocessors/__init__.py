"""What is done to observations and values before a network sees them."""

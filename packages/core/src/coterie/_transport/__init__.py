"""Objects on their way to other processes."""

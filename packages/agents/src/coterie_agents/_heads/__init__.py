"""What turns the outputs of a policy network into actions."""

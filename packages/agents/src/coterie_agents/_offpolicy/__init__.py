"""What off-policy learners have in common."""

"""Steering a run that is under way, from another thread or another process."""

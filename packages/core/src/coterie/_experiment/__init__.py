"""Experiments: a run's whole configuration as one frozen value."""

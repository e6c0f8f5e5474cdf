"""Optimisers with a population axis."""

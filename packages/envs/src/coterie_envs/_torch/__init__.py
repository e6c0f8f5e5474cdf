"""Vectorised environments written in torch."""

"""Environments that are pure functions in JAX, behind the contract."""

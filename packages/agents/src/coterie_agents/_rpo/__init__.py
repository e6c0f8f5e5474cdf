"""Robust policy optimisation."""

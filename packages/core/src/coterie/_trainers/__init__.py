"""Trainers: the loop, and who drives it."""

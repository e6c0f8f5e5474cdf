"""Soft actor-critic with memory."""

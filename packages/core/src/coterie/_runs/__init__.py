"""Runs: what is counted, written and shown while members train."""

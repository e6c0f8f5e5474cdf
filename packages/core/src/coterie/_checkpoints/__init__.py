"""Checkpoints: the whole state of a population on disk, written in one go or not at all."""

"""Plugins: records, hook specifications, discovery and look-up by name."""

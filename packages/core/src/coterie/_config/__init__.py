"""Configuration: plain values from files and dicts become checked attrs objects."""

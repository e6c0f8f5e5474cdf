"""The environment contract, and what the loop does at the edge of an episode."""

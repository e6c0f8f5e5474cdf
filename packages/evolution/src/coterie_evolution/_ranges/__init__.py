"""Ranges of hyper-parameters: what is drawn from them, and how a value is disturbed."""

"""Settings from an Optuna study, and a search that trains many settings one after the other."""

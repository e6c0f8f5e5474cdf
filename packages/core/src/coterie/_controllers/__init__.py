"""What acts on a population between two timesteps: evolution, schedules, steering."""

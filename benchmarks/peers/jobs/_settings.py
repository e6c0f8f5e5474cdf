"""The work: what every library is told, by whatever name it calls it."""

ENV = "CartPole-v1"
WIDTHS = (64, 64)
ROLLOUTS = 128
EPOCHS = 4
MINI_BATCHES = 4
LEARNING_RATE = 1e-3
DISCOUNT = 0.99
GAE_LAMBDA = 0.95
CLIP = 0.2
GRAD_NORM = 0.5
VALUE_SCALE = 0.5
FOREVER = 100_000
"""Timesteps of runs that end when it is enough."""
SAMPLE = 4
"""Agents of a larger population that are run one after the other where only speed is asked."""

"""What actor-critic algorithms for real actions have in common: DDPG, TD3 and SAC."""

"""Independent PPO for teams."""

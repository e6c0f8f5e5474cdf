"""Teams: actors of multi-agent environments, learned by PPO."""

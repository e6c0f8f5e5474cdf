"""PPO with a central critic for teams."""

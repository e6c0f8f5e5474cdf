"""ManiSkill's environments behind the contract."""

"""Isaac Lab's environments behind the contract."""

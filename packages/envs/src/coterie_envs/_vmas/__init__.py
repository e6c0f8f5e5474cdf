"""VMAS's environments behind the contract for teams."""

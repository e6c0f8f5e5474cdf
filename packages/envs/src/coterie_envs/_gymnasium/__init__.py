"""gymnasium's environments behind the contract."""

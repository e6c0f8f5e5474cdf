"""EnvPool's environments behind the contract."""

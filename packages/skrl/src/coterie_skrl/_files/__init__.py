"""skrl's checkpoint files."""

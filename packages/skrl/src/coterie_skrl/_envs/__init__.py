"""Environments in skrl's wrappers behind Coterie's contract."""

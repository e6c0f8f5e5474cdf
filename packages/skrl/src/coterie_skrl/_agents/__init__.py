"""skrl's agents behind Coterie's contract."""

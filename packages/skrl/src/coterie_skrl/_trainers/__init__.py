"""skrl's trainers, with Coterie's in them."""

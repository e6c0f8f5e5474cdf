"""Networks that remember, for stacked members: GRU and LSTM."""

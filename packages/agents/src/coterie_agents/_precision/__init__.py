"""Mixed precision: networks in 16 bits, losses and weights in 32."""

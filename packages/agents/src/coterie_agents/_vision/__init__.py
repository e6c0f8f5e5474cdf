"""Images: which observations are, and the convolutions that read them."""

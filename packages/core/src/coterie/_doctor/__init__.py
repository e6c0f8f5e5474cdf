"""What ``coterie doctor`` looks at: a module per kind of check."""

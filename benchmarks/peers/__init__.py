"""The same work under Coterie and under other libraries: ``python -m benchmarks.peers``."""

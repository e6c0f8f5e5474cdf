"""The places where members live."""

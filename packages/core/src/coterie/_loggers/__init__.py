"""Where metrics go: the logger contract and the loggers that come with core."""

"""The command line: a module per command. Nothing heavy is imported until a command runs."""

"""What a user sees while a run lasts: one line, or a table that is kept up to date."""

"""Islands: groups of members with an environment of their own, wherever they are."""

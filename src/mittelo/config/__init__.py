"""Settings and paths: what the user asked for, and where things are."""

"""The work queue of a repository: its folder `.laps`, and what is done with it."""

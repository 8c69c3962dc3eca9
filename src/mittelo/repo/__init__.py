"""The user's repository: git, and what we keep in `.rally/`."""

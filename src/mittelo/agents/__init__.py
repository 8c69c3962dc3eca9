"""Agents that come with mittelo: programs of their own, started like any agent CLI."""

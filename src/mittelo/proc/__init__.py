"""Processes: starting, watching and stopping agents, and the locks between our own."""

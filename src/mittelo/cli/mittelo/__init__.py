"""The commands of `mittelo`."""

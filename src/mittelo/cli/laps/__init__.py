"""The commands of `laps`."""

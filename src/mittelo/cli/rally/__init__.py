"""The commands of `rally`."""

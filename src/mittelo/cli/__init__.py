"""The commands: one module each, found by its name and imported only when it is named."""

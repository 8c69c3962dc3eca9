"""The agent CLIs, one file each: what to start and how to read it; nothing here acts."""

"""The decisions: pure state machines and functions, without clock, file, process or thread."""

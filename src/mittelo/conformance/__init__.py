"""Whether a hub speaks the protocol; written from docs/PROTOCOL.md alone, sharing no code."""

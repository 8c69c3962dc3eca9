"""Workers: they lease tasks of a hub, let a backend answer them, and hand the answers in."""

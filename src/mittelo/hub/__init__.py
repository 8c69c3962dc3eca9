"""The hub: a queue of tasks in a database, its doors, and its client."""

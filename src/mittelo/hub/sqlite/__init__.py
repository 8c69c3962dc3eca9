"""The store in a file of SQLite, owned by one hub process at a time."""

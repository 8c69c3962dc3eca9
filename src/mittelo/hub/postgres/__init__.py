"""The store in a PostgreSQL database, which any number of hubs may share."""

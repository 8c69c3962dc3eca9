"""Driving a relay: the machines of `core` on the processes of `proc` and the records of `repo`."""

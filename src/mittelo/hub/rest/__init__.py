"""The hub's REST door: HTTP in front of the same requests and the same hub as the TCP door."""

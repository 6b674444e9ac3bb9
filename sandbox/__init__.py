"""The vendors' cloud on this machine: their authorization servers and the first calls of their APIs, on loopback.

It judges clients by its own reading of RFC 6749, 7636, 7009, 8414, 9207 and the vendors' pages, shares no
code with the broker, and keeps a log of every request it saw.
"""

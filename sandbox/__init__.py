"""A provider on this machine: an authorization server and an eAccounting-like API on loopback.

It judges clients by its own reading of RFC 6749, 7636, 7009, 8414, 9207 and the vendor's pages, shares no
code with the broker, and keeps a log of every request it saw.
"""

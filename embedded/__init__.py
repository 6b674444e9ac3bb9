"""Starts PostgreSQL, Valkey and our own processes on a machine that has none of them running.

It knows the other rooms only by their commands and addresses: it imports none of them.
"""

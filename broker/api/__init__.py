"""The internal JSON API, version 1. The one hot route is by hand in token.py; the rest is described by routes.py."""

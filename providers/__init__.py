"""KNOW: what the outside world looks like and how it answers.

No Django, no tenant, no database. Start at `registry.Registry`, which hands out providers; the promises they
keep are in `interface`, the values that travel are in `messages`, the ways it goes wrong are in `errors`.
"""

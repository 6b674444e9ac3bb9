"""The pages that an end customer meets: ask, go to the provider, come back, see what happened."""

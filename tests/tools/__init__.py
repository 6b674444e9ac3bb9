"""Programs that tests use and that are no Python packages: a browser, Node and the peers written for it."""

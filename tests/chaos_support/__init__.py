"""What the chaos run and the suite share: generators, drivers, checkers."""

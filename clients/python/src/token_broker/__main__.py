"""`python -m token_broker` is the command `broker`."""

from token_broker.cli.main import run

if __name__ == "__main__":
    run()

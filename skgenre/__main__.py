"""Run the command-line interface with ``python -m skgenre``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="skgenre")

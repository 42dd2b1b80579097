"""`python -m embank` is `embank`."""

from embank.cli import main

main()

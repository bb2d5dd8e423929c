"""`python -m mltrust`."""

from mltrust.cli.app import main

main()

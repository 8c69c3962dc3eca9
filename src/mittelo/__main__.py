"""`python -m mittelo`: the command `mittelo`, or `rally` and `laps` named as the first word."""

import sys

from mittelo.cli import main

COMMANDS = {"rally": main.rally, "laps": main.laps}

if __name__ == "__main__":
    command = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if command:
        sys.argv[:2] = [sys.argv[1]]
        command()
    sys.argv[0] = "mittelo"
    main.mittelo()

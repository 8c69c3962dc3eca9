"""An agent that answers with its prompt."""

import shutil
import sys


def main() -> None:
    """Copy stdin to stdout."""
    shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()

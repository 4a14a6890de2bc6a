"""What is worth saying of data that were read, and is no error: in the log of this name.

The command line prints it; a program that uses aetool may do with it what it likes.
"""

from __future__ import annotations

NAME = "aetool.data"


def say(line: str) -> None:
    """Hand a line to the log."""
    # most data have nothing to be said of, and need no log
    import logging

    logging.getLogger(NAME).info(line)

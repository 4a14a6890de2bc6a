"""python -m aetool, and the command `aetool`."""

import sys

try:
    from aetool.cli import run
except KeyboardInterrupt:
    # the imports take a moment, in which nothing else could say it in one line
    sys.stderr.write("interrupted; nothing was written\n")
    raise SystemExit(130) from None
except EOFError as error:
    # Python reads compiled files to their end, whatever was cut off
    sys.stderr.write(
        f"aetool: error: the program is damaged ({error}): delete the folders __pycache__ beside "
        f"{__file__}, or install aetool again\n"
    )
    raise SystemExit(2) from None

if __name__ == "__main__":
    run()

"""python -m aetool, and the command `aetool`."""

import sys

try:
    from aetool.cli import run
except KeyboardInterrupt:
    # the imports take a moment, in which nothing else could say it in one line
    sys.stderr.write("interrupted; nothing was written\n")
    raise SystemExit(130) from None

if __name__ == "__main__":
    run()

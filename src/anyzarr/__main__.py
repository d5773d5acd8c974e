"""``python -m anyzarr``: the command without its script on PATH."""

import sys

from anyzarr._cli import main

if __name__ == "__main__":
    sys.exit(main())

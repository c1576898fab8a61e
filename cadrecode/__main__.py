"""python -m cadrecode <verb>"""

import sys

from cadrecode.cli import main

if __name__ == "__main__":
    sys.exit(main())

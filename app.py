"""Open the app: python app.py [--host --port --share --auth user:password --runs_dir]"""

import sys

from cadrecode.ui.launch import main

if __name__ == "__main__":
    sys.exit(main())

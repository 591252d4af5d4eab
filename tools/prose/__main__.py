"""`python -m tools.prose`: check the documents of the repository in the working directory."""

import sys
from pathlib import Path

from tools.prose.check import main

sys.exit(main(Path.cwd()))

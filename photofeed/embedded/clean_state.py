"""`make clean-state`: removes a state folder; refuses while its stack runs, and any other folder.

Run as `python3 -m photofeed.embedded.clean_state <folder>`; it needs no installed package.
"""

import sys
from pathlib import Path

from photofeed.embedded.errors import EmbeddedStackError, StateFolderError
from photofeed.embedded.state import StateFolder, is_state_folder


def main(folder: Path) -> str:
    """Remove the folder; return one line that says what was done."""
    if not folder.exists():
        return f"{folder} does not exist: nothing to remove"
    if not is_state_folder(folder):  # checked before StateFolder creates files in it
        raise StateFolderError(f"{folder} is not the state folder of a stack: nothing removed")
    StateFolder(folder).remove()
    return f"removed {folder}"


if __name__ == "__main__":
    try:
        sys.stdout.write(main(Path(sys.argv[1])) + "\n")
    except EmbeddedStackError as error:
        sys.exit(str(error))

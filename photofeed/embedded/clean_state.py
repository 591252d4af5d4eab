"""`make clean-state`: removes a state folder, unless its stack runs or it is something else.

Run as `python3 -m photofeed.embedded.clean_state <folder>`; it needs nothing installed.
"""

import sys
from pathlib import Path

from photofeed.embedded.errors import EmbeddedStackError, StateFolderError
from photofeed.embedded.state import StateFolder, is_state_folder


def main(folder: Path) -> str:
    """Remove the folder; return what was done, in one line."""
    if not folder.exists():
        return f"{folder} does not exist: nothing to remove"
    if not is_state_folder(folder):  # before StateFolder makes it one
        raise StateFolderError(f"{folder} is not the state of a stack: nothing removed")
    StateFolder(folder).remove()
    return f"removed {folder}"


if __name__ == "__main__":
    try:
        sys.stdout.write(main(Path(sys.argv[1])) + "\n")
    except EmbeddedStackError as error:
        sys.exit(str(error))

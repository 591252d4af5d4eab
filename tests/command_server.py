"""Runs `photofeed` commands in forks of one process that has imported everything: an import of Feast takes seconds.

`python -m tests.command_server SOCKET` listens on a Unix socket until its standard input ends. A request is one line of
JSON: arguments, environment, folder, and the files for standard output and error. The answers are two lines: the id of
the process that runs the command, and its exit code. READY is printed when the first request may come.
"""

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from photofeed.cli import main as run_photofeed

READY = b"ready\n"


def serve(path: str) -> None:
    """Run commands until standard input ends."""
    before = dict(os.environ)
    for entry in entry_points(group="photofeed.commands"):
        entry.load()
    import feast.repo_operations  # noqa: F401  most commands that tests run read the feature repo

    import photofeed.feature_store  # noqa: F401

    # such as the folder of metrics that Feast chooses
    imported = {name: value for name, value in os.environ.items() if before.get(name) != value}
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who answers a request is not waited for
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as events:
        server.bind(path)
        server.listen(64)
        sys.stdout.buffer.write(READY)
        sys.stdout.flush()
        events.register(server, selectors.EVENT_READ)
        events.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is server for key, _ in events.select()):
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _answer(connection, imported)
                os._exit(0)
            connection.close()


def _answer(connection: socket.socket, imported: Mapping[str, str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection, connection.makefile("rw") as lines:
        request = json.loads(lines.readline())
        process = os.fork()
        if process == 0:
            connection.detach()
            _become(request, imported)
        lines.write(f"{process}\n")
        lines.flush()
        _, status = os.waitpid(process, 0)
        lines.write(f"{os.waitstatus_to_exitcode(status)}\n")


def _become(request: dict[str, Any], imported: Mapping[str, str]) -> None:
    """Be the process of one command; does not return."""
    code: Any = 0
    try:
        for number, file in enumerate((os.devnull, request["out"], request["err"])):
            opened = os.open(file, os.O_RDWR)
            os.dup2(opened, number)
            os.close(opened)
        os.environ.clear()
        os.environ.update(imported)
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.argv = ["photofeed", *request["arguments"]]
        run_photofeed()
    except SystemExit as exit_:
        code = exit_.code
    except BaseException:  # noqa: BLE001  as the interpreter does at the end of a program
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)  # noqa: T201
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    serve(sys.argv[1])

import json
import subprocess
import sys

# in another process, where no other test has called a loop
PROGRAM = """
import json, sys
from serving.warm_up import warm_up

warm_up()
ours = [module for name, module in sys.modules.items() if name.startswith(("serving.feed.", "photofeed.online_store."))]
loops = {id(loop): loop for module in ours for loop in vars(module).values() if hasattr(loop, "nopython_signatures")}
print(json.dumps({loop.py_func.__qualname__: len(loop.nopython_signatures) for loop in loops.values()}))
"""


def test_all_loops_of_the_feed_path_are_compiled_ahead() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)  # noqa: S603
    compiled = json.loads(done.stdout)
    called = {name: signatures for name, signatures in compiled.items() if not name.startswith("_")}
    assert len(called) > 15  # the others are parts of them
    assert [name for name, signatures in called.items() if not signatures] == []

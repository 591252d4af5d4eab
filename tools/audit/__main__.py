"""`make audit`: a line per check, and its findings. Exit code 1 if one failed, 3 if a service does not answer."""

import sys

from tools.audit import UnreachableError
from tools.audit.checks import code, files, node_packages, python_packages

_UNREACHABLE = 3


def main() -> int:
    """Run all checks, also after one that failed."""
    clean, reachable = True, True
    for check in (code, files, python_packages, node_packages):
        try:
            audit = check()
        except UnreachableError as error:
            reachable = False
            sys.stdout.write(f"{error}\n")
            continue
        clean &= audit.is_clean
        sys.stdout.write(f"{audit.name}: audited {audit.audited} of {audit.total}, {len(audit.found)} found\n")
        sys.stdout.writelines(f"  {one}\n" for one in audit.found)
    if not clean:
        return 1
    return 0 if reachable else _UNREACHABLE


if __name__ == "__main__":
    sys.exit(main())

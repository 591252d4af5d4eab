"""`photofeed verify`: compare all systems, and print where they disagree."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingestion.verify import Check, Disagreement

app = typer.Typer(help="Compare what the systems hold.")

NOT_COMPARED = 3
_MOST = 1_000  # disagreements of one check


@app.command("verify")
def verify(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="Only this check (postgres, storage, ...); can be repeated."),
    ] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds for which a message may be on its way.")] = 20,
    memory_mb: Annotated[int, typer.Option(min=64, help="MiB for DuckDB, and for counters, each.")] = 512,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Compare PostgreSQL, object storage, Kafka, Redis, lake and edge, and print where they disagree. Changes nothing.

    A line is check, subject, what each side says and what repairs it, tab-separated. Exit code 1 if anything disagrees,
    3 if a system does not answer.
    """
    import json
    from dataclasses import asdict

    from ingestion.bootstrap.verify import open_checks
    from ingestion.verify import Patience
    from photofeed.logs import set_up_logs
    from photofeed.settings import load_settings
    from photofeed.unavailable import may_pass

    settings = load_settings()
    set_up_logs(settings)
    found: list[Disagreement] = []
    try:
        with open_checks(settings, Patience(patience), memory_mb) as every:
            checks = _chosen(every, only or [])
            for one in _disagreements(checks):
                found.append(one)
                if not as_json:
                    typer.echo(one)
    except Exception as error:
        if not may_pass(error):
            raise
        typer.echo(f"photofeed: not compared: {error}", err=True)
        raise typer.Exit(NOT_COMPARED) from error
    compared = {check.name: check.compared for check in checks}
    if as_json:
        notes = {check.name: check.notes for check in checks if check.notes}
        document = {"disagreements": [asdict(one) for one in found], "compared": compared, "notes": notes}
        typer.echo(json.dumps(document, indent=2))
    else:
        for check in checks:
            for note in check.notes:
                typer.echo(f"{check.name}: {note}", err=True)
        typer.echo(", ".join(f"{count} {name}" for name, count in compared.items()) + " compared", err=True)
        typer.echo(f"{len(found)} disagreements", err=True)
    raise typer.Exit(1 if found else 0)


def _chosen(checks: "Sequence[Check]", names: "Sequence[str]") -> "list[Check]":
    from photofeed.errors import InvalidError

    if unknown := set(names) - {check.name for check in checks}:
        known = ", ".join(check.name for check in checks)
        raise InvalidError(f"no check {', '.join(sorted(unknown))}; there are {known}")
    return [check for check in checks if not names or check.name in names]


def _disagreements(checks: "Sequence[Check]") -> "Iterator[Disagreement]":
    """Of each check, at most so many that they fit on a screen and in memory."""
    from itertools import islice

    for check in checks:
        running = iter(check.run())
        yield from islice(running, _MOST)
        if next(running, None) is not None:
            check.notes.append(f"there are more than {_MOST} disagreements: the others are not listed")

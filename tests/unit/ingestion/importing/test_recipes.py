"""The recipes of docs/how-to/import.md, run on made files of their formats: every row that they write is taken."""

import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from ingestion.importing.files import find_files, load
from ingestion.importing.judged import convert, judge, verdict
from ingestion.importing.tables import TABLES

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "import.md"
RECIPES = dict(re.findall(r"^```python ([a-z-]+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL))
_OBD = "timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2,user_feature_3\n"
_GENRES = "|0" * 19

# recipe -> its made input files, and the rows that it makes of users, items, impressions and actions
MADE: dict[str, tuple[dict[str, str], tuple[int, int, int, int]]] = {
    "mind": (
        {
            "behaviors.tsv": (
                "1\tU1\t11/13/2019 8:36:57 AM\tN9 N8\tN1-0 N2-1 N404-0\n"
                "2\tU2\t11/11/2019 12:00:00 PM\t\tN1-1\n"
                "3\tU1\t11/14/2019 1:02:03 PM\tN9\tN2-0 N1-0\n"
            ),
            "news.tsv": (
                'N1\tsports\tgolf\tA "quoted title\tabstract\turl\t[]\t[]\nN2\tnews\tworld\tB\tabstract\turl\t[]\t[]\n'
            ),
        },
        (2, 2, 5, 2),
    ),
    "movielens": (
        {
            "u.data": "196\t242\t3\t881250949\n186\t302\t4\t891717742\n196\t302\t5\t881251949\n",
            "u.item": f"242|Kolya (1996)|24-Jan-1997||url{_GENRES}\n302|Caf\u00e9 (1997)|01-Jan-1997||url{_GENRES}\n",
        },
        (2, 2, 3, 2),
    ),
    "open-bandit": (
        {
            "men.csv": _OBD
            + "2019-11-24 00:03:13.442536+00:00,14,3,0,0.03,a,b,c,d\n"
            + "2019-11-24 00:03:14.705207+00:00,10,1,1,0.03,a,b,c,d\n"
            + "2019-11-24 00:03:15.705207+00:00,10,2,1,0.03,a,b,c,d\n"
            + "2019-11-24 00:09:15.705207+00:00,10,2,0,0.03,e,b,c,d\n"
        },
        (2, 2, 3, 1),
    ),
    "clicks": (
        {
            "views.csv": "user_id,item_id,occurred_at\nu,a,2024-05-01 10:00:00\nu,b,2024-05-01 10:01:00\n"
            "u,a,2024-05-01 11:00:00\nv,a,2024-05-01 10:00:00\n",
            "clicked.csv": "user_id,item_id,occurred_at\nu,b,2024-05-01 10:02:00\n",
        },
        (2, 2, 4, 1),
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_every_row_of_a_recipe_is_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, expected = MADE[name]
    for file, text in files.items():
        (tmp_path / file).write_text(text, encoding="latin-1" if file == "u.item" else "utf-8")
    (tmp_path / "clicks").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(compile(RECIPES[name], f"{GUIDE}: {name}", "exec"), {})  # noqa: S102  our own document
    taken = []
    found = find_files(tmp_path / "clicks")
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        tables = [table for table in TABLES if table.name in found]
        for table in tables:
            load(connection, found[table.name])
            convert(connection, table, datetime.now(UTC))
        for known, external in (("users", "user_id"), ("items", "item_id")):
            made = connection.table(f"typed_{known}").project(f"{external} as external, 1 as id")
            made.create(f"known_{known}")
        for table in tables:
            judge(connection, table)
            judged = verdict(connection, table, tmp_path)
            assert judged.reasons == {}
            taken.append(judged.taken)
    assert tuple(taken) == expected


def test_there_is_a_test_of_every_recipe() -> None:
    assert RECIPES.keys() == MADE.keys()


def test_the_guide_has_every_column() -> None:
    text = GUIDE.read_text()
    for table in TABLES:
        section = text.partition(f"\n### {table.name}\n")[2].partition("\n#")[0]
        listed = re.findall(r"^\| `(\w+)`( \(required\))? \| ([a-z ]+) \|", section, re.MULTILINE)
        assert listed == [(c.name, " (required)" if c.required else "", c.kind.value) for c in table.columns]
        for column in table.columns:
            assert all(word in section for word in column.among)

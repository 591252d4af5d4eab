"""Kinds of files that were refused or came out wrong once: `make photo-cases` without arguments."""

from types import ModuleType

import pytest

from ingestion.photos.process import process_photo
from ingestion.photos.validate import PhotoLimits
from photofeed.settings import Settings
from tools.photo_cases import made_foreign, made_heif, made_jpeg, made_png
from tools.photo_cases.comparison import judge
from tools.photo_cases.made import made_cases


@pytest.mark.parametrize("module", [made_foreign, made_heif, made_jpeg, made_png])
def test_every_file_comes_out_as_it_should(module: ModuleType) -> None:
    limits = PhotoLimits.of(Settings())
    verdicts = [judge(case, lambda data: process_photo(data, limits)) for case in module.cases()]
    assert verdicts
    assert [(verdict.case.name, verdict.faults) for verdict in verdicts if verdict.faults] == []


def test_there_are_at_least_thirty_files_each_with_a_name_of_its_own() -> None:
    names = [case.name for case in made_cases()]
    assert len(names) == len(set(names)) >= 30

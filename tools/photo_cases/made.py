"""Cases whose files are made here: kinds of files that were refused or came out wrong once, and their siblings."""

from tools.photo_cases import made_foreign, made_heif, made_jpeg, made_png
from tools.photo_cases.manifest import Case


def made_cases() -> list[Case]:
    """All of them."""
    return [case for module in (made_jpeg, made_png, made_heif, made_foreign) for case in module.cases()]

"""Loads Feast without the type checks that typeguard would compile into it, which are most of its import."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def load_feast_unchecked() -> None:
    """Let later imports of Feast and its modules leave out the checks (ADR 58). Other packages keep theirs."""
    if not any(isinstance(finder, _FeastFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _FeastFinder())


class _FeastFinder(MetaPathFinder):
    """Finds Feast's modules as the interpreter does, and gives them another loader."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "feast":
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.loader is not None:
            found.loader = _UncheckedLoader(found.loader)
        return found


class _UncheckedLoader(Loader):
    """Loads a module with `typeguard.typechecked` replaced meanwhile; is otherwise the loader that it wraps."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        if name == "_loader":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        import typeguard  # noqa: PLC0415  processes without Feast do not need it

        checked, typeguard.typechecked = typeguard.typechecked, _unchecked
        try:
            self._loader.exec_module(module)
        finally:
            typeguard.typechecked = checked


def _unchecked(target: Any = None, **_: Any) -> Any:
    """As `typeguard.typechecked`, with or without arguments, and without its effect."""

    def same(decorated: Callable[..., Any]) -> Callable[..., Any]:
        return decorated

    return same if target is None else target

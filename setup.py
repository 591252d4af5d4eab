"""What pyproject.toml cannot declare: files from outside the packages that the wheel carries inside `photofeed`."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BUNDLED = ("feature_repo", "web/dist")  # photofeed/bundled.py finds them
CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache"}


class BuildWithBundledFiles(build_py):
    """Copies the feature repo and the built browser app to `photofeed/_bundled/`, except for editable installs."""

    def run(self) -> None:
        """Build the packages, then add the files."""
        super().run()
        if self.editable_mode:
            return
        for source, target in self._bundled_files():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))

    def _bundled_files(self) -> list[tuple[Path, Path]]:
        inside = Path(self.build_lib) / "photofeed" / "_bundled"
        files = [file for folder in BUNDLED for file in sorted(Path(folder).rglob("*")) if file.is_file()]
        return [(file, inside / file) for file in files if file.name != ".built" and CACHES.isdisjoint(file.parts)]


setup(cmdclass={"build_py": BuildWithBundledFiles})

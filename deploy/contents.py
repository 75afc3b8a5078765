"""Which files of the repository a Space needs, and a folder that holds exactly them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.front_matter import space_readme
from stit_core.errors import StitError

ROOT = Path(__file__).resolve().parent.parent
README = "README.md"
THUMBNAIL = "assets/thumbnail.jpg"
# What the page reads, and its licence; whatever is not named here stays at home.
NEEDED = ("app.py", "page", "stit_core", "assets", "directions", "requirements.txt", "LICENSE")
FOR_DOCKER = ("Dockerfile", ".dockerignore", "requirements-c2pa.txt")  # the last for a Space with EXTRAS
NO_SOURCE = ("__pycache__", ".mypy_cache", ".ruff_cache")
LARGEST_FILE = 10_000_000  # bytes; the Hub takes larger ones only through its large-file storage
LARGEST_SPACE = 60_000_000


@dataclass(frozen=True)
class Contents:
    """What is uploaded.

    Attributes
    ----------
    files: paths below the repository's root, in order, with their bytes; README.md is not among them.
    readme: the text of the Space's own README.md.
    """

    files: tuple[tuple[str, int], ...]
    readme: str

    def sizes(self) -> list[tuple[str, int]]:
        """Every file with its bytes, README.md among them."""
        return sorted([*self.files, (README, len(self.readme.encode()))])

    def stage(self, folder: Path, root: Path = ROOT) -> None:
        """Copy all of it into an empty folder."""
        for name, _ in self.files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target)
        (folder / README).write_text(self.readme, encoding="utf-8")


def read_contents(name: str, docker: bool = False, root: Path = ROOT) -> Contents:
    """What the Space of that name needs of the repository as it lies there.

    Parameters
    ----------
    name: of the Space, as in "me/stit".
    docker: whether it is built from the Dockerfile.
    root: of the repository.

    Raises
    ------
    StitError: a file that is missing, or too large for a Space.
    """
    wanted = (*NEEDED, *(FOR_DOCKER if docker else ()))
    missing = [entry for entry in (*wanted, README, THUMBNAIL) if not (root / entry).exists()]
    if missing:
        raise StitError(f"{missing[0]} is not here.", "Run this in a whole clone of the repository.")
    names = sorted(path for entry in wanted for path in _files_below(root, entry))
    files = tuple((path, (root / path).stat().st_size) for path in names)
    for path, size in files:
        if size > LARGEST_FILE:
            raise StitError(f"{path} has {size / 1e6:.1f} MB.", "A Space takes no file over 10 MB by this way.")
    readme = (root / README).read_text(encoding="utf-8")
    contents = Contents(files, space_readme(readme, name, THUMBNAIL, docker))
    total = sum(size for _, size in contents.sizes())
    if total > LARGEST_SPACE:
        raise StitError(f"All files together have {total / 1e6:.0f} MB.", "Upload no more than 60 MB.")
    return contents


def changed_files(docker: bool = False, root: Path = ROOT) -> list[str]:
    """What git calls changed, or does not know, among the files that a Space needs; nothing where git is not there."""
    wanted = (*NEEDED, README, *(FOR_DOCKER if docker else ()))
    listed = _git(root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *wanted)
    return [] if listed is None else sorted(entry[3:] for entry in listed.split("\0") if entry)


def revision(root: Path = ROOT) -> str:
    """The commit that the files are of, in short; "" where git does not say."""
    return (_git(root, "rev-parse", "--short", "HEAD") or "").strip()


def _files_below(root: Path, entry: str) -> list[str]:
    """The files that git tracks there; without git, all that are no caches."""
    listed = _git(root, "ls-files", "-z", "--", entry)
    if listed is not None:
        return [name for name in listed.split("\0") if name and (root / name).is_file()]
    place = root / entry
    paths = [place] if place.is_file() else place.rglob("*")
    return [
        path.relative_to(root).as_posix()
        for path in paths
        if path.is_file() and not set(path.parts) & {*NO_SOURCE} and path.suffix not in (".pyc", ".log")
    ]


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints; None where there is no git, or no clone."""
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout

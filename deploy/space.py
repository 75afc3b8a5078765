"""Upload the page as a Hugging Face Space: `make space NAME=me/stit`, or `python -m deploy.space me/stit`.

Needs nothing but Python and `hf`, which comes with huggingface_hub; `--dry-run` needs only Python.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.contents import ROOT, Contents, changed_files, read_contents, revision
from deploy.front_matter import HUB
from stit_core.errors import StitError

NAME = re.compile(r"(?=.{3,193}$)(?P<owner>[A-Za-z0-9][\w-]*)/(?P<space>[A-Za-z0-9]([\w.-]*[A-Za-z0-9_])?)", re.ASCII)
NOBODY = "NAME/SPACE"  # in the place of a name that was not given
MOST_LISTED = 5
LOGIN_SECONDS = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Upload, or say why not; the process's exit code."""
    options = _parser().parse_args(argv)
    try:
        name = check_name(options.name, options.dry_run)
        contents = read_contents(name, options.docker, ROOT)
        changed = changed_files(options.docker, ROOT)
        if options.dry_run:
            print(listing(contents, name, changed))
            return 0
        if changed and not options.uncommitted:
            hint = f"Commit first; `python -m deploy.space {name} --uncommitted` uploads it as it is."
            raise StitError(f"{_some(changed)} not committed.", hint)
        upload(find_hf(), name, contents, options.private, options.docker)
    except StitError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The same command resumes the upload.", file=sys.stderr)
        return 130
    print(f"Uploaded. The Space is built now: {HUB}/spaces/{name}")
    return 0


def check_name(name: str, dry_run: bool = False) -> str:
    """The Space's name, if it can be one.

    Raises
    ------
    StitError: it is missing, or none.
    """
    if not name and dry_run:
        return NOBODY
    hint = "Write it as OWNER/SPACE, of letters, digits, '-', '_' and '.': make space NAME=me/stit"
    if not name:
        raise StitError("The Space has no name.", hint)
    found = NAME.fullmatch(name)
    if found is None or "--" in name or ".." in name or max(map(len, found.group("owner", "space"))) > 96:
        raise StitError(f"'{name}' cannot be the name of a Space.", hint)
    return name


def listing(contents: Contents, name: str, changed: Sequence[str] = ()) -> str:
    """Files and sizes, and what would keep them from being uploaded."""
    sizes = contents.sizes()
    lines = [f"{size:>12,}  {path}" for path, size in sizes]
    largest, bytes_of_it = max(sizes, key=lambda entry: entry[1])
    lines.append(f"{len(sizes)} files, {sum(size for _, size in sizes) / 1e6:.1f} MB, for {HUB}/spaces/{name}")
    lines.append(f"The largest is {largest}, {bytes_of_it / 1e6:.1f} MB. Nothing was uploaded.")
    if changed:
        lines.append(f"{_some(changed)} not committed; commit before the upload.")
    return "\n".join(lines)


def find_hf() -> str:
    """The program `hf`, of this environment or of the system.

    Raises
    ------
    StitError: it is not installed, or nobody is logged in.
    """
    program = shutil.which("hf", path=str(Path(sys.executable).parent)) or shutil.which("hf")
    if program is None:
        raise StitError("`hf` is not installed.", "`make setup` installs it, or: pip install huggingface_hub")
    try:
        asked = subprocess.run(
            [program, "auth", "whoami"], capture_output=True, text=True, check=False, timeout=LOGIN_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StitError(f"`{program} auth whoami` could not be run: {error}", "Install huggingface_hub anew.") from None
    said = re.sub(r"\x1b\[[\d;]*m", "", asked.stdout + asked.stderr)
    if "not logged in" in said.lower():
        raise StitError("You are not logged in to the Hub.", f"Run `{program} auth login`, then the same command.")
    if asked.returncode != 0:
        reason = (said.strip().splitlines() or ["no reason given"])[-1]
        raise StitError(f"The Hub did not say who you are: {reason}", "Check network and token, then try again.")
    return program


def upload(program: str, name: str, contents: Contents, private: bool = False, docker: bool = False) -> None:
    """Make the Space hold exactly these files.

    Raises
    ------
    StitError: `hf` could not do it; what it said stands above.
    """
    with tempfile.TemporaryDirectory(prefix="stit-space-") as folder:
        contents.stage(Path(folder), ROOT)
        done = subprocess.run(upload_command(program, name, private), cwd=folder, check=False)
    if done.returncode != 0:
        hint = f"If there is no such Space yet, make it first: hf {' '.join(creation(name, docker))}"
        raise StitError(f"`hf` did not upload to {name}.", hint)


def creation(name: str, docker: bool = False) -> list[str]:
    """What `hf` is given to make the Space; of Gradio's it is the kind that needs no paid account."""
    kind = ["docker"] if docker else ["gradio", "--flavor", "zero-a10g"]
    return ["repos", "create", name, "--type", "space", "--sdk", *kind]


def upload_command(program: str, name: str, private: bool = False) -> list[str]:
    """The call of `hf` in the folder that holds the files; what the Space has beside them is deleted."""
    message = " ".join(filter(None, ("Upload", revision(ROOT))))
    command = [program, "upload", name, ".", ".", "--repo-type", "space", "--delete", "*", "--commit-message", message]
    return [*command, "--private"] if private else command


def _some(names: Sequence[str]) -> str:
    """`a, b and 3 more are`"""
    shown, more = names[:MOST_LISTED], len(names) - MOST_LISTED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "") + (" is" if len(names) == 1 else " are")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.space", description="Upload the page as a Space.")
    parser.add_argument("name", nargs="?", default="", help="of the Space: OWNER/SPACE")
    parser.add_argument("--docker", action="store_true", help="a Space that is built from the Dockerfile")
    parser.add_argument("--dry-run", action="store_true", help="list files and sizes, upload nothing")
    parser.add_argument("--private", action="store_true", help="make the Space private where it is new")
    parser.add_argument("--uncommitted", action="store_true", help="upload changes that are not committed too")
    return parser


if __name__ == "__main__":
    sys.exit(main())

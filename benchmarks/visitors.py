"""Many visitors at once: the real app, and each of them a caller of its API with a cookie of its own.

    python -m benchmarks.visitors [--count 8] [--seconds 1] [--clip FILE] [--runs FOLDER] [--set STIT_QUEUE=3 ...]

Starts the app with nothing stored. All visitors upload the same sample clip at the same time, under names of their own,
and have its first seconds edited in the preset Draft; meanwhile somebody looks every second how long the page takes to
answer. Prints for each visitor the seconds until the video came, or the words that came instead, then the slowest look,
and what is left on the disk after everybody deleted what they had made. With --clip they bring
another one, and --set STIT_PACK=FOLDER names another pack. With --runs the files lie in a folder of yours, such as one
on a small disk, to see what a full one does:

    mount -t tmpfs -o size=12m none /mnt/small && python -m benchmarks.visitors --runs /mnt/small
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from gradio_client import Client, handle_file

from benchmarks.page_server import ROOT, Server, serve

SAMPLE = ROOT / "assets" / "clips" / "young-woman-turning.mp4"
LOOK_SECONDS = 1.0


def main() -> None:
    """Read the arguments, let everybody in, print what they got."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8, help="visitors (default 8)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of the clip that are edited (default 1)")
    parser.add_argument("--clip", type=Path, default=SAMPLE, help="that they bring (default: a sample)")
    parser.add_argument("--runs", type=Path, help="folder for what the visitors bring and make")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the page")
    arguments = parser.parse_args()
    settings = dict(text.split("=", 1) for text in arguments.set)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.runs is not None:
            settings["STIT_RUNS"] = str(arguments.runs.absolute())
        with serve(folder, settings) as server, watched(server) as slowest:
            let_in(server, folder, arguments.clip, arguments.count, arguments.seconds)
            print(f"slowest answer of the page {max(slowest):6.1f} s")
            root = arguments.runs or server.runs
            left = [path for path in root.rglob("*") if path.is_file() and "samples" not in path.parts]
            print(f"files left of the visitors {len(left):6}")
        log = (folder / "server.log").read_text()
        print(f"tracebacks in the log      {log.count('Traceback'):6}")


def let_in(server: Server, folder: Path, source: Path, count: int, seconds: float) -> None:
    """Have everybody ask for an edit at once, and print what came of it."""
    begun = time.perf_counter()
    together = threading.Barrier(count)

    def visit(number: int) -> str:
        clip = folder / f"visitor {number}.mp4"
        shutil.copyfile(source, clip)
        client = Client(server.address, headers={"Cookie": f"stit-key=visitor{number}"}, verbose=False)
        together.wait()
        try:
            video, _, run = client.predict(
                handle_file(str(clip)), "smile=1", preset="draft", end=seconds, api_name="/edit"
            )
        except Exception as error:  # whatever a visitor is told is what is to be seen
            return f"{time.perf_counter() - begun:6.1f} s  {type(error).__name__}: {error}"
        size = Path(video["video"] if isinstance(video, dict) else video).stat().st_size
        client.predict(run, api_name="/delete_run")
        return f"{time.perf_counter() - begun:6.1f} s  a video of {size:,} bytes"

    with ThreadPoolExecutor(count) as pool:
        asked = {pool.submit(visit, number): number for number in range(count)}
        for done in as_completed(asked):
            print(f"visitor {asked[done]:2} {done.result()}", flush=True)


@contextlib.contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """Ask for the page again and again; gives the seconds that each answer took."""
    over, taken = threading.Event(), [0.0]

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            begun = time.perf_counter()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(server.address, timeout=60).close()
            taken.append(time.perf_counter() - begun)

    looker = threading.Thread(target=look, name="looker")
    looker.start()
    try:
        yield taken
    finally:
        over.set()
        looker.join()


if __name__ == "__main__":
    main()

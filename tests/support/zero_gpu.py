"""A ZeroGPU Space without its hardware: the real package spaces, a scheduler of ours, and visitors with tokens.

Run as a program, `python -m tests.support.zero_gpu FOLDER CLIP SCENE ...`, as the package changes torch for the whole
process. It writes FOLDER/SCENE.json, what came of each scene. Two things are not the real ones. torch's build for the
processor lacks what the package looks for at import; and as there is no card, all scenes but `no_hardware` have the
networks of the "card" on the processor, and the two calls by which a fork moves them to the card do nothing.
"""

from __future__ import annotations

import base64
import contextlib
import contextvars
import dataclasses
import hashlib
import html
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

GRANT = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "allowed"}
PATIENCE = 120.0
PASSES = 12  # of the tuning: enough to do something in its middle


@dataclass
class Scheduler:
    """What answers the package's questions on a Space: to each call for the card the next of `answers`, then yes.

    Attributes
    ----------
    calls: (question, parameters) in order.
    """

    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def begin(self) -> str:
        """Serve; gives the address."""
        scheduler = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                address = urlsplit(self.path)
                scheduler.calls.append((address.path[1:], {k: v[0] for k, v in parse_qs(address.query).items()}))
                status, answer = 200, {}
                if address.path == "/schedule":
                    status, answer = scheduler.answers.pop(0) if scheduler.answers else (200, GRANT)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    def asked(self, question: str) -> list[dict[str, str]]:
        """The parameters of the calls with a question."""
        return [parameters for name, parameters in self.calls if name == question]


def not_forked_badly() -> bool:
    """Stands in for torch.cuda._is_in_bad_fork, which is no function that can be pickled in a build without CUDA."""
    return False


def pretend_a_build_with_cuda() -> None:
    """Give torch's build for the processor what the package looks for at import."""
    import torch

    from tests.support import zero_gpu  # by its name, for pickle

    if torch.version.cuda is None:
        torch.version.cuda = "13.0"
        torch._C._cuda_init = lambda: None  # type: ignore[attr-defined]
        torch.cuda._is_in_bad_fork = zero_gpu.not_forked_badly


def token(name: str) -> str:
    """A visitor's token, as far as the package reads it."""
    payload = base64.urlsafe_b64encode(json.dumps({"name": name}).encode()).decode().rstrip("=")
    return f"head.{payload}.sign"


def name_of(sent: str) -> str:
    payload = sent.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=="))["name"])


def as_visitor(name: str, act: Callable[[], Any]) -> Any:
    """Act as an event of a visitor with this token does, in gradio's queue."""
    import gradio as gr
    from gradio.context import LocalContext

    def event() -> Any:
        LocalContext.request.set(gr.Request(headers={"x-ip-token": token(name)}))
        return act()

    return contextvars.copy_context().run(event)


class Scenes:
    """The scenes, on one aligned run that is copied for each."""

    def __init__(self, folder: Path, clip: Path, scheduler: Scheduler) -> None:
        self.folder, self.clip, self.scheduler = folder, clip, scheduler

    def studio(self, name: str, **settings: Any) -> Any:
        from page.settings import PageSettings
        from page.studio.feed import Feeds
        from page.studio.studio import Studio

        facts = {"root": self.folder / name, "pack": "tiny", "slice_seconds": 60.0, "cpu_fallback": False}
        return Studio(PageSettings(**{**facts, **settings}), {"clip": self.clip}, Feeds())

    def begin(self, studio: Any, **choices: Any) -> str:
        state = studio.arrive()
        studio.set_sample(state.id, next(iter(studio.clips.samples)))
        advanced = {"tuning": {"passes": PASSES}}
        wanted = {"preset": "draft", "method": "transfer", "edits": (("smile", 2.0),), "advanced": advanced}
        studio.change(state.id, **{**wanted, **choices})
        return str(state.id)

    def press(
        self,
        studio: Any,
        run_id: str,
        kind: str = "tune",
        at: Callable[[Any], None] = lambda _: None,
        act: Callable[[str], Any] | None = None,
    ) -> dict[str, Any]:
        """Press a button as a visitor whose tab answers whenever it is asked, and wait for the end of the job.

        `at` is called with the status whenever it was looked at; `act` does what the button does, if it is not one of a
        kind of job.
        """
        self.scheduler.calls.clear()
        as_visitor("button", lambda: act(run_id) if act else studio.start(run_id, kind))
        answered, until = 0, time.monotonic() + PATIENCE
        while not (status := studio.status(run_id)).finished:
            at(status)
            if status.asks > answered:
                answered = status.asks
                as_visitor(f"answer {answered}", lambda: studio.lend_event(run_id))
            if time.monotonic() > until:
                raise TimeoutError(str(status))
            time.sleep(0.005)
        videos = [Path(status.output.video)] if status.output else []
        tuned = sorted(studio.folders.private(run_id).glob("**/tune-*/*.safetensors"))
        scheduled = self.scheduler.asked("schedule")
        found = {
            "state": status.state,
            "message": status.message,
            "hint": status.hint,
            "warnings": status.warnings,
            "stage": status.stage,
            "asks": status.asks,
            "passes": len(status.history),
            "frames_made": status.frames_made,
            "video": [hashlib.sha256(file.read_bytes()).hexdigest() for file in videos],
            "tuned": [hashlib.sha256(file.read_bytes()).hexdigest() for file in tuned],
            "taken": status.output and status.output.seconds_taken,
            "tokens": [name_of(parameters["token"]) if "token" in parameters else "" for parameters in scheduled],
            "seconds": [int(parameters["durationSeconds"]) for parameters in scheduled],
            "forks": len({parameters["pid"] for parameters in self.scheduler.asked("allow")}),
            "released": [parameters["fail"] for parameters in self.scheduler.asked("release")],
        }
        for parameters in self.scheduler.asked("allow"):  # a Space ends those whose card goes to others
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(parameters["pid"]), signal.SIGKILL)
        return found

    # --- with the imitated card ---

    def no_hardware(self) -> dict[str, Any]:
        """Networks on the imitated card; the forks find no real one."""
        studio = self.studio("none")
        networks = studio.networks
        generator = networks._on_card.generator
        found: dict[str, Any] = {
            "lent": networks.lent,
            "on_card": sorted({str(parameter.device) for parameter in generator.parameters()}),
            "here": str(networks.models.device),
        }
        run_id = self.begin(studio)
        found["refused"] = self.press(studio, run_id)
        studio = self.studio("none", cpu_fallback=True)
        found["here_instead"] = self.press(studio, run_id)
        studio = self.studio("none", cpu_fallback=True, job_minutes=0.01)
        studio.planner.__dict__["job_seconds"] = 1e9  # let in, but not for as long as it takes here
        found["too_long_here"] = self.press(studio, self.begin(studio))
        return found

    # --- with the card's networks on the processor ---

    def alike(self) -> dict[str, Any]:
        """The same edit without a card, on it, and on it in as many slices as there can be."""
        found = {}
        for name in ("without", "slices"):
            studio = self.studio(name, slice_seconds=1e-6)
            studio.networks.lent = name == "slices"
            found[name] = self.press(studio, self.begin(studio), "edit")
        return found

    def refusals(self) -> dict[str, Any]:
        """What is said where the card is refused, and what comes of pressing again."""
        found = {}
        studio = self.studio("refusals")
        run_id = self.begin(studio)
        for name, answers in {
            "quota": [(429, {"left": 10, "wait": 3 * 3600})],
            "expired": [(401, {}), (401, {})],
            "busy": [(503, {})],
            "broken": [(500, {})],
            "expired once": [(401, {})],
        }.items():
            self.scheduler.answers[:] = answers
            found[name] = self.press(studio, run_id)
        return found

    def endings(self) -> dict[str, Any]:
        """A fork that is killed, a job that is stopped, and a visitor who has gone."""
        found = {}
        studio = self.studio("endings")
        run_id = self.begin(studio)

        def kill(status: Any) -> None:
            allowed = self.scheduler.asked("allow")
            if len(status.history) >= 2 and allowed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(allowed[-1]["pid"]), signal.SIGKILL)

        found["killed"] = self.press(studio, run_id, at=kill)
        found["killed, again"] = self.press(studio, run_id)
        found["killed, all there"] = self.press(studio, run_id)
        run_id = self.begin(studio)
        found["stopped"] = self.press(
            studio, run_id, at=lambda status: studio.stop(run_id) if len(status.history) >= 2 else None
        )
        found["stopped, again"] = self.press(studio, run_id)
        return found

    def waiting(self) -> dict[str, Any]:
        """A job that has waited for long asks; one whose visitor has gone ends."""
        from page.studio import lending

        found = {}
        with replaced(lending, FRESH_SECONDS=-1.0):
            studio = self.studio("waiting")
            run_id = self.begin(studio)
            with replaced(lending, PATIENCE=0.0):
                found["gone"] = self.press(studio, run_id)
        gate = threading.Event()
        studio.jobs.submit("another", "align", lambda _: gate.wait(PATIENCE), {})
        with replaced(lending, FRESH_SECONDS=0.2):
            began = time.monotonic()
            found["waited"] = self.press(
                studio, run_id, at=lambda _: gate.set() if time.monotonic() > began + 0.5 else None
            )
        return found

    def review(self) -> dict[str, Any]:
        """A review of a clip without a card, on it, and with a refusal in its middle."""
        import torch

        found: dict[str, Any] = {}
        torch.set_num_threads(1)  # as forks do: the bits of a convolution depend on it
        for name in ("without", "slices"):
            studio = self.studio(name, slice_seconds=1e-6)
            studio.networks.lent = name == "slices"
            run_id, begin = self.begin(studio), self.reviewed(studio)
            if name == "slices":
                refusal = (429, {"left": 10, "wait": 3 * 3600})
                self.scheduler.answers[:] = [(200, GRANT)] * 3 + [refusal]
                found["refused"] = self.press(studio, run_id, act=begin)
            found[name] = self.press(studio, run_id, act=begin)
            kept = studio.folders.private(run_id).glob("review/kept/files/*/*.json")
            found[name]["kept"] = {
                f"{file.parent.name}/{file.name}": json.loads(file.read_text()) for file in sorted(kept)
            }
        return found

    def reviewed(self, studio: Any) -> Callable[[str], Any]:
        """What starts the review of a picture and a clip in a run."""
        from PIL import Image

        from page.studio.review_requests import bring_people
        from page.studio.reviews import start_review
        from tests.support.drawn_face import draw_face
        from tests.support.page_cases import upload

        picture = self.folder / "face.png"
        Image.fromarray(draw_face(200, 200, (100, 100), 55)).save(picture)

        def begin(run_id: str) -> Any:
            uploads = [(upload(studio, file), file.name) for file in (picture, self.clip)]
            request = bring_people(studio, run_id, uploads)
            wanted = {"edits": (("smile", (1.0,)),), "labels_from": "perceived"}
            return start_review(studio, run_id, dataclasses.replace(request, **wanted))

        return begin

    def page(self) -> dict[str, Any]:
        """The page itself: it reports that it has a function for the card, and a tab's event brings its token."""
        import httpx

        import app
        from page.ui.words.about import TRAINING_HERE
        from page.ui.words.review import ON_CARD

        self.scheduler.calls.clear()
        _, address, _ = app.demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, run_history=False)
        found: dict[str, Any] = {"reported": len(self.scheduler.asked("startup-report"))}
        shown = html.unescape(json.dumps(app.demo.config["components"], default=str))
        found["told"] = [text in shown for text in (ON_CARD, TRAINING_HERE)]
        functions = app.demo.config["dependencies"]
        news = next(entry for entry in functions if entry["targets"][0][1] == "news")
        run_id = self.begin(app.studio, end=0.2)
        from page.studio import lending

        with replaced(lending, FRESH_SECONDS=-1.0):
            self.scheduler.calls.clear()
            app.studio.start(run_id, "tune")
            while not (status := app.studio.status(run_id)).asks and not status.finished:
                time.sleep(0.01)
        sent = {"data": [run_id], "fn_index": news["id"], "session_hash": "tab", "event_data": {"before": None}}
        headers = {"x-ip-token": token("tab"), "x-gradio-user": "app"}
        with httpx.Client(base_url=address, headers={"origin": address.rstrip("/")}, timeout=PATIENCE) as client:
            joined = client.post("gradio_api/queue/join", json=sent, headers=headers)
            found["joined"] = joined.status_code
        job = app.studio.jobs.get(run_id)
        assert job is not None
        found["ended"] = job.wait(PATIENCE)
        found["state"] = job.status().state
        found["tokens"] = [name_of(parameters["token"]) for parameters in self.scheduler.asked("schedule")]
        app.demo.close()
        return found


@contextlib.contextmanager
def replaced(module: Any, **values: Any) -> Iterator[None]:
    """Give a module other values meanwhile."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def main(folder: Path, clip: Path, names: Sequence[str]) -> None:
    """Play these scenes."""
    scheduler = Scheduler()
    groups = folder / "cgroup"
    groups.write_text("0::/space\n")
    os.environ |= {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": scheduler.begin(),
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(groups),
        "ZEROGPU_OFFLOAD_DIR": str(folder / "offloaded"),
        "STIT_PACK": "tiny",
        "STIT_RUNS": str(folder / "app"),
    }
    pretend_a_build_with_cuda()
    import spaces.zero.torch as package

    from page.studio import networks

    scenes = Scenes(folder, clip, scheduler)
    for name in names:
        if name != "no_hardware":
            package.init = package.move = lambda *_, **__: None
            networks.LENT = "cpu"
        (folder / f"{name}.json").write_text(json.dumps(getattr(scenes, name)()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

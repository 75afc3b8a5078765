"""What the page's handlers give back: only what they are wired to, in every branch; and what they make of a run."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from gradio.blocks import Block

from tests.support.page_cases import make_output

pytest_plugins = ["tests.support.fixtures_app"]


# --- Every branch -------------------------------------------------------------------------------------------------


class Branches:
    """The components that a method may return updates of, read from its source, whatever branch it takes."""

    def __init__(self, method: Callable[..., Any]) -> None:
        function = inspect.unwrap(getattr(method, "__func__", method))
        self.names: dict[str, Any] = {"self": getattr(method, "__self__", None)}
        self.updates: dict[str, set[Block]] = {}
        self.scope = function.__globals__
        self.returned: set[Block] = set()
        self.empty = False  # whether it may return nothing
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        for node in ast.walk(definition):
            if isinstance(node, ast.Assign):
                self.assign(node)
        for node in ast.walk(definition):
            if isinstance(node, ast.Return):
                self.empty |= node.value is None
                self.returned |= self.keys(node.value)

    def assign(self, node: ast.Assign) -> None:
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Name) and self.is_update(value):
            self.updates[target.id] = self.keys(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Attribute):
            for name, found in zip(target.elts, self.value(value), strict=True):
                self.names[ast.unparse(name)] = found

    def is_update(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func) in ("self.shell.begin", "self._shown")

    def keys(self, node: ast.expr | None) -> set[Block]:
        if node is None or ast.unparse(node) in ("None", "gr.skip()"):
            return set()
        if isinstance(node, ast.Dict):
            found = set()
            for key, value in zip(node.keys, node.values, strict=True):
                found |= self.keys(value) if key is None else {self.value(key)}
            return found
        if isinstance(node, ast.IfExp):
            return self.keys(node.body) | self.keys(node.orelse)
        if isinstance(node, ast.Name):
            return self.updates[node.id]
        assert isinstance(node, ast.Call), f"cannot be read: {ast.unparse(node)}"
        if ast.unparse(node.func) == "dict.fromkeys":
            return set(self.value(node.args[0]))
        return Branches(self.value(node.func)).returned

    def value(self, node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), "test", "eval"), self.scope, self.names)


def handlers(app: ModuleType) -> list[Any]:
    return [fn for fn in app.demo.fns.values() if fn.api_visibility == "private" and fn.fn is not None]


def test_every_branch_of_every_handler_returns_declared_outputs_only(app: ModuleType) -> None:
    read = 0
    for fn in handlers(app):
        if fn.fn.__name__ == "<lambda>":
            returned, empty = set(fn.fn()), False
        else:
            branches = Branches(fn.fn)
            returned, empty, read = branches.returned, branches.empty, read + 1
        stray = {type(block).__name__ + str(block.elem_id) for block in returned - set(fn.outputs)}
        assert not stray, f"{fn.fn.__qualname__} returns {stray}"
        assert not (empty and fn.outputs), f"{fn.fn.__qualname__} may empty its outputs"
        assert bool(returned) == bool(fn.outputs), f"{fn.fn.__qualname__} has outputs that it never returns"
    assert read > 40


def test_the_check_of_branches_sees_a_stray_component() -> None:
    class Step:
        wanted, other = object(), object()

        def handler(self, right: bool) -> dict[Any, Any]:
            if right:
                return {self.wanted: 1}
            return {**self.more(), self.wanted: 2}

        def more(self) -> dict[Any, Any]:
            return {self.other: 3}

    assert Branches(Step().handler).returned == {Step.wanted, Step.other}


def test_no_state_of_a_tab_lies_on_the_server(app: ModuleType) -> None:
    """It is lost an hour after a connection broke off, and with the server."""
    assert not [block for block in app.demo.blocks.values() if block.stateful]


# --- What is told of jobs -----------------------------------------------------------------------------------------


@pytest.fixture
def steps(app: ModuleType) -> dict[str, Any]:
    """The page's parts by the names of their classes."""
    found = {}
    for fn in handlers(app):
        owner = getattr(fn.fn, "__self__", None)
        if owner is not None:
            found[type(owner).__name__] = owner
    return found


def status(kind: Any, state: Any, **facts: Any) -> Any:
    from page.studio.job import Status

    return Status(kind, state, **facts)


def test_a_job_that_asks_for_an_event_is_news() -> None:
    from page.ui.signals import news

    running = status("tune", "running", version=3)
    assert news(running, True)["asks"] == ""
    assert news(dataclasses.replace(running, asks=2), True)["asks"] == "2"


def test_a_finished_edit_has_no_frames_to_follow() -> None:
    from page.ui.signals import news

    running = status("edit", "running", feed_id="abc", version=3)
    assert news(running, True)["feed"] == "abc"
    for state in ("done", "stopped", "failed"):
        assert news(dataclasses.replace(running, state=state), True)["feed"] == ""


def test_only_an_end_that_the_tab_did_not_find_is_signalled(
    steps: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = steps["Shell"]
    monkeypatch.setattr(shell.studio.jobs, "status", lambda _: status("align", "done", version=9))
    run = shell.studio.arrive().id
    for before, signalled in ((None, True), ("", True), ("align done 9", False), ({"odd": 1}, True)):
        told = shell.hand_on(run, SimpleNamespace(before=before))
        assert (told[shell.ended] == "align done 9") == signalled
    assert shell.hand_on(run, SimpleNamespace())[shell.ended] == "align done 9"


def test_a_job_that_the_servers_end_interrupted_is_told_to_a_tab_that_stayed_open(steps: dict[str, Any]) -> None:
    from page.ui.shell import answer_job, last_status

    studio = steps["Shell"].studio
    run = studio.arrive().id
    assert last_status(studio, run) is None
    studio.runs.update(run, lambda state: dataclasses.replace(state, last=status("tune", "running", version=5)))
    told = answer_job(studio)({"run": run})
    assert (told["working"], told["news"]["ended"]) == (False, "tune interrupted 5")
    assert "started anew" in told["line"]["text"]
    studio.runs.update(run, lambda state: dataclasses.replace(state, last=status("tune", "done")))
    assert last_status(studio, run) is None, "what ended long ago is no news"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("align done 9", ("align", "done", True)),
        ("edit stopped 12", ("edit", "stopped", False)),
        ("train failed 0", ("train", "failed", False)),
        ("", None),
        ("align", None),
        ("align done", None),
        ("align done 9 9", None),
        ("align done -1", None),
        ("dance done 9", None),
        ("align over 9", None),
    ],
)
def test_the_end_that_a_signal_carries_is_read_or_refused(text: str, said: tuple[str, str, bool] | None) -> None:
    from page.ui.signals import read_end

    event = read_end("run", text)
    assert (event and (event.kind, event.status.state, event.done)) == said


def test_a_signal_says_again_what_the_event_was() -> None:
    from page.ui.signals import news, read_end

    ended = status("tune", "stopped", version=7)
    event = read_end("run", news(ended, True)["ended"])
    assert event is not None
    assert (event.run_id, event.status) == ("run", ended)


# --- Looking through a clip ---------------------------------------------------------------------------------------


def test_a_look_that_fails_is_told(
    app: ModuleType, steps: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from stit_core.errors import VideoError

    step = steps["ClipStep"]
    run = step.studio.arrive().id
    step.studio.set_sample(run, next(iter(step.studio.clips.samples)))

    def fail(run_id: str) -> None:  # noqa: ARG001
        raise VideoError(f"{tmp_path}/holiday.mp4 is damaged after 3 s.", "Trim it.")

    monkeypatch.setattr(step.studio.clips, "preflight", fail)
    told = step.look(run)
    assert "holiday.mp4 is damaged" in told[step.notice]
    assert str(tmp_path) not in told[step.notice]
    (wired,) = {tuple(fn.outputs) for fn in handlers(app) if fn.fn == step.look}
    assert set(told) <= set(wired)


def test_a_trim_whose_clip_was_deleted_in_another_tab_is_told(steps: dict[str, Any]) -> None:
    step = steps["ClipStep"]
    run = step.studio.arrive().id
    step.studio.set_sample(run, next(iter(step.studio.clips.samples)))
    step.studio.runs.update(run, lambda state: dataclasses.replace(state, clip=f"{state.clip}.gone"))
    assert "There is no clip yet" in step.show_trim(run)[step.notice]
    step.studio.delete(run)
    assert "not there any more" in step.show_trim(run)[step.notice]


# --- Tune ---------------------------------------------------------------------------------------------------------


def test_what_is_shown_says_which_pick_it_answers(steps: dict[str, Any]) -> None:
    """A pick that has not been answered stays on the screen, whatever else comes."""
    step = steps["TuneStep"]
    run = step.studio.arrive().id
    step.studio.set_sample(run, next(iter(step.studio.clips.samples)))
    shown = {
        "timed": step.show_presets(run),
        "selected": step.restore(run),
        "refused": step.take_back(run),
        "draft": step.choose(run, {"chosen": "draft", "picked": True}),
        "stitch": step.choose_method(run, {"chosen": "stitch", "picked": True}),
    }
    answers = {
        name: (update[step.presets]["answers"], update[step.methods]["answers"]) for name, update in shown.items()
    }
    nothing = (None, None)
    assert answers == {
        "timed": nothing,
        "selected": nothing,
        "refused": (True, True),
        "draft": ("draft", None),
        "stitch": (None, "stitch"),
    }
    assert shown["stitch"][step.presets]["chosen"] == "draft"
    assert shown["stitch"][step.methods]["chosen"] == "stitch"


# --- Watch --------------------------------------------------------------------------------------------------------


def test_one_sees_which_of_several_results_is_looked_at(steps: dict[str, Any]) -> None:
    step = steps["WatchStep"]
    first, second = make_output(id="1", feed_id="f1"), make_output(id="2", feed_id="f2")
    alone = step._shown([first])
    assert (alone[step.player], alone[step.outputs]["items"]) == ("f1", [])
    both = step._shown([second, first])
    name = "Smile +1.5, age -2 · stitch · draft"
    assert both[step.player] == {"id": "f2", "names": [None, f"{name} (2)"]}
    assert f"{name} (2)" in both[step.result]
    assert [item["title"] for item in both[step.outputs]["items"]] == [f"{name} (2)", name]
    assert step._shown([second, first], "1")[step.player]["names"] == [None, name]


def test_what_the_browser_says_it_looks_at_is_checked(steps: dict[str, Any]) -> None:
    from page.ui.components import read_chosen

    assert [read_chosen(sent) for sent in ({"chosen": "2"}, {"chosen": 2}, {}, None, "2", [2])] == [
        "2",
        "",
        "",
        "",
        "",
        "",
    ]
    step = steps["WatchStep"]
    assert step._shown([make_output(id="1")], "nobody's", "nobody's")[step.outputs]["chosen"] == "1"


def test_what_was_compared_is_found_again(steps: dict[str, Any], tmp_path: Path) -> None:
    from page.studio.feed import ClipFacts, Finished
    from page.studio.job import JobEnded

    step = steps["WatchStep"]
    studio, run = step.studio, step.studio.arrive().id
    video = tmp_path / "out.mp4"
    video.touch()
    for number in range(3):
        feed = studio.feeds.create(tmp_path / str(number), ClipFacts(25.0, 1, 64, 36))
        feed.finish(Finished(video, video))
        made = make_output(id=str(number), video=str(video), feed=str(feed.folder))
        studio.runs.note_end(JobEnded(run, status("edit", "done"), made))

    def after_a_reload() -> tuple[str, str]:
        told = step.restore(run, {}, {})
        return told[step.outputs]["chosen"], told[step.against]["chosen"]

    assert after_a_reload() == ("2", "")
    step.show_earlier(run, {"chosen": ""}, SimpleNamespace(id="1"))
    step.compare(run, {"chosen": "1"}, SimpleNamespace(id="0"))
    assert after_a_reload() == ("1", "0")
    assert len(step.restore(run, {}, {})[step.player]["id"].split()) == 2
    here = step.restore(run, {"chosen": "2"}, {"chosen": ""})
    assert here[step.outputs]["chosen"] == "2", "a tab that shows another one keeps it"
    step.compare(run, {"chosen": "x" * 1000}, SimpleNamespace(id="nobody's"))
    assert after_a_reload() == ("2", "")
    assert "nobody" not in (studio.folders.private(run) / "page.json").read_text()
    step.compare(run, {"chosen": "2"}, SimpleNamespace(id="0"))
    studio.runs.note_end(JobEnded(run, status("tune", "done")))
    assert after_a_reload() == ("2", "0")
    studio.runs.note_end(JobEnded(run, status("edit", "done"), make_output(id="3", video=str(video))))
    assert after_a_reload() == ("3", ""), "a new video is looked at"


def test_a_run_without_a_video_shows_none(steps: dict[str, Any]) -> None:
    step = steps["WatchStep"]
    told = step.restore(step.studio.arrive().id, {"chosen": "gone"}, None)
    assert (told[step.player], told[step.result]) == ("", "")
    assert told[step.video].visible is False


def test_every_name_of_a_widget_is_given_once(app: ModuleType) -> None:
    """A style for one of two would hold for both."""
    names = [block.elem_id for block in app.demo.blocks.values() if getattr(block, "elem_id", None)]
    assert [name for name in set(names) if names.count(name) > 1] == []

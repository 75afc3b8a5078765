"""What is kept of the sessions of a page: on gradio's own app, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import gradio as gr
import pytest
from gradio.routes import App

from page.server import sessions
from page.server.sessions import MOST_LEFT, Sessions


@pytest.fixture
def app() -> App:
    with gr.Blocks() as blocks:
        gr.Textbox()
    return App.create_app(blocks)


def on_loop(work: Callable[[], None]) -> None:
    """Carry out what needs a running event loop."""

    async def run() -> None:
        work()

    asyncio.run(run())


def make(app: App, name: str) -> None:
    """All that gradio keeps of a session."""
    queue = app.get_blocks()._queue
    app.state_holder[name]
    queue.pending_messages_per_session[name] = asyncio.Queue()
    queue.pending_event_ids_session[name] = {"event"}


def kept(app: App) -> set[str]:
    queue = app.get_blocks()._queue
    stores = (app.state_holder.session_data, queue.pending_messages_per_session, queue.pending_event_ids_session)
    assert len({frozenset(store) for store in stores}) == 1, "a part of a session is kept"
    return set(app.state_holder.session_data)


def test_no_more_are_kept_than_the_newest(app: App) -> None:
    def work() -> None:
        known = Sessions()
        for number in range(3 * MOST_LEFT):
            make(app, f"s{number}")
            known.use(app, f"s{number}")
        assert kept(app) == {f"s{number}" for number in range(2 * MOST_LEFT, 3 * MOST_LEFT)}

    on_loop(work)


def test_a_page_that_listens_keeps_its_session(app: App) -> None:
    def work() -> None:
        known = Sessions()
        make(app, "mine")
        with known.connect(app, "mine"), known.connect(app, "mine"):
            for number in range(2 * MOST_LEFT):
                make(app, f"s{number}")
                known.use(app, f"s{number}")
            assert "mine" in kept(app)
        assert "mine" in kept(app), "for a while"

    on_loop(work)


def test_a_session_ends_when_its_page_has_been_gone_for_a_while(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KEPT_SECONDS", -1.0)

    def work() -> None:
        known = Sessions()
        for name in ("mine", "yours"):
            make(app, name)
        with known.connect(app, "mine"):
            known.use(app, "yours")
            known.tidy(app)
            assert kept(app) == {"mine"}
        known.tidy(app)
        assert kept(app) == set()

    on_loop(work)


def test_sessions_of_calls_that_gradio_names_end_too(app: App) -> None:
    def work() -> None:
        known = Sessions()
        for number in range(2 * MOST_LEFT):
            make(app, f"event{number}")
        known.tidy(app)
        assert len(kept(app)) == MOST_LEFT

    on_loop(work)


def test_answers_that_nobody_fetches_are_dropped(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_ANSWERS", 3)
    answer = type("Answer", (), {"output": {}})

    def work() -> None:
        known, queue = Sessions(), app.get_blocks()._queue
        for name in ("a", "b", "c"):
            make(app, name)
            known.use(app, name)
            for _ in range(2):
                queue.pending_messages_per_session[name].put_nowait(answer())
        assert not known.is_full(app, "a")
        queue.pending_messages_per_session["c"].put_nowait(answer())
        assert known.is_full(app, "new")
        known.tidy(app)
        assert kept(app) == {"c"}
        assert not known.is_full(app, "new")

    on_loop(work)


def test_a_session_is_open_to_the_browser_that_began_it(app: App) -> None:
    known = Sessions()
    assert known.belongs("mine", "key")
    assert known.belongs("mine", "key")
    assert not known.belongs("mine", "other")
    assert not known.belongs("mine", "")
    assert known.belongs("plain", ""), "a program, or a browser that keeps no cookies"
    known._forget(app, "mine")
    assert known.belongs("mine", "other"), "of a session that has ended nothing is left"

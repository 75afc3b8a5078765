"""The player in Chromium by hand: pointer, keyboard, touch, on every screen."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from page.ui.components import WEB
from tests.support.player_page import PATIENCE, Show

pytest_plugins = ["tests.support.fixtures_browser", "tests.support.fixtures_player"]
pytestmark = pytest.mark.browser


def centre(box: Any) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_an_update_from_gradio_changes_nothing_that_is_shown(show: Show) -> None:
    watch = show(frames=range(8))
    x, y = centre(watch.root.locator(".grip").bounding_box())
    watch.page.mouse.move(x, y)
    watch.page.mouse.down()
    watch.page.mouse.move(x - 150, y, steps=4)
    watch.page.mouse.up()
    width = watch.ask("p.stage.pictures.clientWidth")
    split = watch.ask("p.stage.split")
    assert split == pytest.approx(50 - 100 * 150 / width, abs=0.5)
    expect(watch.root.locator(".divider")).to_have_attribute("aria-valuenow", str(round(split)))
    watch.ask("root.mark = 'the same element'")
    for button in ("#same", "#label"):
        with watch.page.expect_response("**/run/predict**", timeout=PATIENCE):
            watch.page.locator(button).click()
    watch.page.wait_for_timeout(300)
    watch.page.get_by_role("tab", name="Elsewhere").click()
    expect(watch.root).to_be_hidden()
    watch.page.get_by_role("tab", name="Watch").click()
    expect(watch.root).to_be_visible()
    assert watch.ask("[root.mark, p.stage.split, p.playing]") == ["the same element", split, True]
    shown = watch.ask("p.shown")
    watch.wait(f"p.shown !== {shown}")
    assert watch.complaints == []


def test_clicks_on_picture_scrubber_and_strip(show: Show) -> None:
    watch = show(frames=range(60))
    watch.wait("p.feed.count === 60 && p.playing")
    watch.root.locator(".pictures").click(position={"x": 40, "y": 60})
    assert watch.ask("p.playing") is False
    for rail in (".scrubber", ".strip"):
        target = watch.root.locator(rail)
        box = target.bounding_box()
        assert box is not None
        target.click(position={"x": box["width"] * 42.5 / 60, "y": box["height"] / 2})
        watch.wait("p.frame === 42 && p.shown === 42")
        watch.ask("p.move(0)")
    watch.root.locator(".strip").hover(position={"x": 1, "y": 4})
    tip = watch.root.locator(".tip")
    expect(tip).to_contain_text("Frame 1 of 60")
    expect(tip).to_contain_text("Seam 0.0020, fine")
    expect(tip).to_contain_text("Identity 0.950, kept")


def test_keyboard_only(show: Show) -> None:
    watch = show(frames=range(60))
    watch.wait("p.feed.count === 60 && p.playing")
    press = watch.page.keyboard.press
    press("Space")
    assert watch.ask("p.playing")  # the focus is elsewhere
    names = []
    for _ in range(30):
        press("Tab")
        names.append(
            watch.page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.value")
        )
        if names[-1] == "Full screen":
            break
    inside = names[names.index("Divider between before and after") :]
    assert inside == [
        "Divider between before and after",
        "Frame",
        "Pause",
        "One frame back",
        "One frame on",
        "Loop",
        "divider",
        "Speed",
        "Full screen",
    ]
    watch.root.locator(".divider").focus()
    for key, split in (("ArrowRight", 52), ("Shift+ArrowLeft", 42), ("Home", 0), ("End", 100)):
        press(key)
        expect(watch.root.locator(".divider")).to_have_attribute("aria-valuenow", str(split))
    press("Space")
    assert watch.ask("p.playing") is False
    watch.root.locator(".scrubber").focus()
    moves = (
        ("Home", 0),
        (".", 1),
        (".", 2),
        (",", 1),
        ("ArrowRight", 26),
        ("ArrowLeft", 1),
        ("End", 59),
        ("PageDown", 59),
    )
    for key, frame in moves:
        press(key)
        assert watch.ask("p.frame") == frame, key
    expect(watch.root.locator(".tip")).to_contain_text("Frame 60 of 60")
    expect(watch.root.locator(".scrubber")).to_have_attribute(
        "aria-valuetext", "Frame 60 of 60, 0:02.36, seam 0.0024, fine, identity 0.930, kept"
    )
    for mode in ("sides", "flicker", "divider"):
        press("m")
        assert watch.root.get_attribute("data-mode") == mode
    press("l")
    assert watch.ask("p.controls.loop") is False
    press(">")
    assert watch.ask("p.controls.speed") == 1.25
    press("f")
    watch.page.wait_for_function("document.fullscreenElement !== null")
    press("f")
    watch.page.wait_for_function("document.fullscreenElement === null")
    assert watch.complaints == []


def test_choices_outlive_a_reload(show: Show) -> None:
    watch = show(frames=range(20))
    watch.wait("p.feed.count === 20")
    watch.root.get_by_role("radio", name="Side by side").check()
    watch.root.locator(".speed").select_option("0.5")
    watch.root.locator(".play").click()
    watch.ask("p.timeline.tell.onHold(true)")
    watch.ask("p.move(11)")
    watch.ask("p.timeline.tell.onHold(false)")
    watch.page.reload()
    watch.wait("p.feed.count === 20")
    assert watch.ask("[p.stage.mode, p.controls.speed]") == ["sides", 0.5]
    assert watch.ask("p.frame") >= 11


def test_touch_moves_the_divider_and_leaves_the_page_where_it_is(show: Show) -> None:
    watch = show(frames=range(5), viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True)
    watch.wait("p.shown >= 0")
    x, y = centre(watch.root.locator(".grip").bounding_box())
    touch = watch.page.context.new_cdp_session(watch.page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        points = [{"x": x + 16 * step, "y": y + 3 * step}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    width = watch.ask("p.stage.pictures.clientWidth")
    assert watch.ask("p.stage.split") == pytest.approx(50 + 100 * 80 / width, abs=1)
    assert watch.page.evaluate("window.scrollY") == 0


@pytest.mark.parametrize(("width", "height"), [(375, 740), (3840, 2160)])
def test_it_fits_a_phone_and_a_large_screen(show: Show, width: int, height: int) -> None:
    watch = show(frames=range(5), viewport={"width": width, "height": height})
    watch.wait("p.shown >= 0")
    assert watch.page.evaluate("document.documentElement.scrollWidth") <= width
    outer = watch.root.bounding_box()
    assert outer is not None
    for control in watch.root.locator("button:visible, select, .modes label, .scrubber, .strip").all():
        box = control.bounding_box()
        assert box is not None
        assert outer["x"] <= box["x"]
        assert box["x"] + box["width"] <= outer["x"] + outer["width"]
        assert box["height"] >= 24


def test_flicker_takes_turns_unless_less_motion_is_wanted(show: Show) -> None:
    watch = show(frames=range(3))
    watch.ask("p.controls.setMode('flicker')")
    watch.wait("p.stage.face === 'before'")
    watch.wait("p.stage.face === 'after'")
    watch.page.emulate_media(reduced_motion="reduce")
    watch.wait("p.stage.still.matches && p.stage.face === 'after'")
    watch.page.wait_for_timeout(1500)
    assert watch.ask("p.stage.face") == "after"
    watch.root.locator(".swap").click()
    assert watch.ask("p.stage.face") == "before"
    expect(watch.root.locator(".after")).to_be_hidden()


def test_dark_has_colours_of_its_own(show: Show) -> None:
    watch = show(frames=range(3), query="&__theme=dark")
    watch.wait("document.body.classList.contains('dark')")
    assert watch.ask("getComputedStyle(root).getPropertyValue('--good')") == "#3f6f96"
    background = watch.ask("getComputedStyle(root).backgroundColor")
    assert max(int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")) < 80


def test_the_page_holds_the_pictures_as_bytes_only(show: Show) -> None:
    watch = show(frames=range(3))
    watch.wait("p.shown >= 0")
    text = base64.b64encode((watch.feed.folder / "frames" / "000000-after.jpg").read_bytes()).decode()
    assert text[:60] not in watch.page.content()


def test_texts_take_the_form_of_their_number_and_keep_places_that_nobody_knows(browser: Browser) -> None:
    forms = {"one": "{count} klatka", "few": "{count} klatki", "other": "{count} klatek z {all}"}
    script = (WEB / "fill.js").read_text()
    page = browser.new_page()
    made = page.evaluate(
        f"forms => {{ const language = 'pl'; {script} return [1, 2, 5].map((count) => fill(forms, {{ count }})); }}",
        forms,
    )
    page.close()
    assert made == ["1 klatka", "2 klatki", "5 klatek z {all}"]

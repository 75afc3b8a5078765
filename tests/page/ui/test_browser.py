"""The page in Chromium: the whole way with the embedded pack, everything else with a tiny one, which is faster."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import imageio_ffmpeg
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from benchmarks.page_server import (
    ROOT,
    Server,
    choose_edit,
    choose_sample,
    come_back,
    find_face,
    run_of,
    serve,
    start_tuning,
    visit,
)
from tests.support.labelled_sets import apart, write_set
from tests.support.page_steps import download, go_to_edit, pick_change, wait_until
from tests.support.prepared_runs import SAMPLE, SECONDS, PreparedRuns, prepare_runs

FRAMES = 15  # in those seconds of the sample

pytest_plugins = ["tests.support.fixtures_browser", "tests.support.fixtures_prepared"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (ROOT / "assets/packs/heads-256/pack.json").is_file(), reason="heads-256 is not here"),
]


# --- The whole way, with the embedded pack ------------------------------------------------------------------------


def test_from_sample_to_finished_video(browser: Browser, tmp_path: Path) -> None:
    with serve(tmp_path, {}) as real, visit(browser, real) as tab:
        page = tab.page
        expect(page.locator("#limits")).to_contain_text("up to 100 MB")
        choose_sample(page, SECONDS)
        expect(page.locator("#facts")).to_contain_text("512 × 512")
        find_face(page)
        start_tuning(page)
        choose_edit(page, "Smile")
        page.locator("#make").click()
        page.locator("#measures .measures").wait_for()
        expect(page.locator("#measures")).to_contain_text("TL-ID")

        video = download(page, "#get-video", tmp_path / "result.mp4")
        assert imageio_ffmpeg.count_frames_and_secs(str(video))[0] == FRAMES
        assert next(imageio_ffmpeg.read_frames(str(video)))["size"] == (512, 512)
        manifest = json.loads(download(page, "#get-manifest", tmp_path / "edit.json").read_text())
        assert [(edit["direction"], edit["factor"]) for edit in manifest["edits"]] == [("smile", 2.0)]


# --- Going on -----------------------------------------------------------------------------------------------------


def test_another_factor_a_comparison_and_a_reload(edited_page: Page, server: Server) -> None:
    page = edited_page
    expect(page.locator("#measures")).to_contain_text("Age -2")

    page.locator("#another").click()
    page.locator("#dial-age").fill("1")
    page.locator("#make").click()
    expect(page.locator("#measures")).to_contain_text("Age +1")
    expect(page.locator("#outputs button")).to_have_count(2)

    page.locator("#against button", has_text="Age -2").click()
    page.wait_for_function("document.querySelector('.stit-player').player.media === 'video'")
    expect(page.locator(".stit-player .before .tag")).to_have_text("Age -2 · stitch · draft")
    expect(page.locator(".stit-player .after .tag")).to_have_text("Age +1 · stitch · draft")
    come_back(page, server)
    expect(page.locator(".stit-player .before .tag")).to_have_text("Age -2 · stitch · draft")
    expect(page.locator(".stit-player .after .tag")).to_have_text("Age +1 · stitch · draft")
    expect(page.locator("#measures")).to_contain_text("Age +1")
    page.locator("#against button", has_text="The source").click()
    expect(page.locator(".stit-player .before .tag")).to_have_text("Before")
    page.locator("#outputs button", has_text="Age -2").click()
    expect(page.locator("#measures")).to_contain_text("Age -2")
    expect(page.locator(".stit-player .after .tag")).to_have_text("Age -2 · stitch · draft")
    expect(page.locator(".stit-player .before .tag")).to_have_text("Before")

    come_back(page, server)
    expect(page.locator("#measures")).to_contain_text("Age -2")
    expect(page.locator("#outputs button")).to_have_count(2)
    expect(page.locator(".stit-player .before .tag")).to_have_text("Before")


def test_a_reload_keeps_the_video_and_a_restart_the_run(browser: Browser, tiny: dict[str, str], tmp_path: Path) -> None:
    with (
        serve(tmp_path, tiny) as first,
        prepare_runs(first.runs, tiny, SAMPLE, SECONDS) as prepared,
        visit(browser, first, run=prepared.copy("aligned")) as tab,
    ):
        page = tab.page
        go_to_edit(page)
        page.locator("#dials .chip", has_text="Younger").click()
        page.locator("#make").click()
        page.locator("#measures .measures").wait_for()
        run = run_of(page)
        come_back(page, first)
        page.locator("#measures .measures").wait_for()
        page.wait_for_timeout(3000)  # by then the page has asked how the job of the run is
        expect(page.locator("#measures")).to_contain_text("TL-ID")
        video = download(page, "#get-video", tmp_path / "again.mp4")
        assert imageio_ffmpeg.count_frames_and_secs(str(video))[0] == FRAMES

        first.stop()
        with serve(tmp_path, tiny, first.port):
            page.wait_for_timeout(3000)  # a page that noticed the end loads itself anew within two seconds
            page.locator("#measures .measures").wait_for()
            page.locator("#another").click()
            page.locator("#dial-age").fill("1")
            page.locator("#make").click()
            expect(page.locator("#measures")).to_contain_text("Age +1")
            assert run_of(page) == run
            tab.complaints.clear()  # of the seconds without a server


def test_the_method_and_the_region_outlive_a_reload(aligned_page: Page, server: Server) -> None:
    page = aligned_page
    page.locator("#to-tune").click()
    chosen = "[aria-pressed=true]"
    expect(page.locator(f"#methods {chosen}")).to_contain_text("Stitch")
    page.locator("#methods button", has_text="Transfer").click()
    page.locator("#presets button", has_text="Paper").click()
    expect(page.locator(f"#methods {chosen}")).to_contain_text("Stitch")
    expect(page.locator("#methods button", has_text="Transfer")).to_be_disabled()
    page.locator("#presets button", has_text="Draft").click()
    expect(page.locator(f"#methods {chosen}")).to_contain_text("Transfer")
    page.locator("#tune").click()
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    choose_edit(page, "Smile")
    expect(page.locator("#wipe .wipe-words")).to_contain_text("pixel for pixel")
    page.locator("#regions button", has_text="Mouth").click()
    expect(page.locator(f"#regions {chosen}")).to_have_text("Mouth")

    come_back(page, server)
    expect(page.locator(f"#regions {chosen}")).to_have_text("Mouth")
    expect(page.locator("#regions .picker")).to_have_attribute("data-lead", "Where")  # which the style writes
    page.locator("#make").click()
    expect(page.locator("#measures")).to_contain_text("Smile +2 · transfer · mouth")
    page.locator("#steps .step-button").nth(2).click()
    expect(page.locator(f"#methods {chosen}")).to_contain_text("Transfer")
    expect(page.locator("#tune")).to_have_text("Done")
    page.locator("#methods button", has_text="Stitch").click()
    expect(page.locator("#tune")).to_have_text("Start")
    page.locator("#to-edit").click()
    expect(page.locator("#regions button")).to_have_count(0)


def test_a_preset_picked_right_before_the_start_is_the_one_that_is_tuned_with(aligned_page: Page) -> None:
    page, held = aligned_page, list[Route]()
    page.locator("#to-tune").click()
    shown = page.locator("#presets [aria-pressed=true]")
    expect(shown).to_contain_text("Draft")

    def hold_the_pick(route: Route) -> None:
        if held or '"id":"balanced"' not in (route.request.post_data or ""):
            return route.fallback()
        return held.append(route)

    page.route("**/queue/join*", hold_the_pick)
    page.locator("#presets button", has_text="Balanced").click()
    wait_until(page, lambda: bool(held))  # the message of the pick, which a slow line delivers late
    page.locator("#tune").click()
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    held[0].continue_()
    expect(page.locator("#tune")).to_have_text("Done")
    expect(shown).to_contain_text("Balanced")


def test_what_was_asked_for_before_a_pick_does_not_undo_it(aligned_page: Page) -> None:
    page, held, passed, late = aligned_page, list[Route](), list[Route](), list[Route]()

    def hold_all_but_the_step(route: Route) -> None:
        passed.append(route)
        return held.append(route) if len(passed) > 1 and not late else route.fallback()

    page.locator("#to-tune").click()
    shown = page.locator("#presets [aria-pressed=true]")
    expect(shown).to_contain_text("Draft")
    page.locator("#steps .step-button").nth(1).click()
    page.locator("#to-tune").wait_for()
    page.wait_for_timeout(1000)
    page.route("**/queue/join*", hold_all_but_the_step)
    page.locator("#to-tune").click()
    wait_until(page, lambda: bool(held))  # the step asks for what it shows, which a slow machine answers late
    expect(shown).to_contain_text("Draft")
    page.wait_for_timeout(500)
    asked = len(held)
    page.locator("#presets button", has_text="Balanced").click()
    wait_until(page, lambda: len(held) > asked)
    late += held[asked:]
    for route in held[:asked]:
        route.continue_()
    page.wait_for_timeout(1500)
    expect(shown).to_contain_text("Balanced")
    page.locator("#tune").click()
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    for route in late:
        route.continue_()
    expect(page.locator("#tune")).to_have_text("Done")
    expect(shown).to_contain_text("Balanced")


def test_of_two_quick_picks_the_last_one_counts(aligned_page: Page) -> None:
    page, held = aligned_page, list[Route]()
    page.locator("#to-tune").click()
    shown = page.locator("#presets [aria-pressed=true]")
    expect(shown).to_contain_text("Draft")
    page.route("**/queue/join*", lambda route: route.fallback() if held else held.append(route))
    page.locator("#presets button", has_text="Balanced").click()
    wait_until(page, lambda: bool(held))
    page.locator("#presets button", has_text="Paper").click()
    held[0].continue_()
    expect(page.locator("#methods button", has_text="Transfer")).to_be_disabled()  # Paper knows one method only
    expect(shown).to_contain_text("Paper")


def test_a_stopped_tuning_goes_on_after_a_reload(aligned_page: Page, server: Server) -> None:
    page = aligned_page
    start_tuning(page, "Paper")
    expect(page.locator("#status")).to_contain_text("Fitting")
    page.locator("#stop").click()
    expect(page.locator("#status")).to_contain_text("Stopped")
    expect(page.locator("#tune")).to_have_text("Go on")

    come_back(page, server)
    page.locator("#crops img").first.wait_for()
    page.locator("#to-tune").click()
    expect(page.locator("#tune")).to_have_text("Go on")
    page.locator("#presets button", has_text="Draft").click()
    page.locator("#tune").click()
    expect(page.locator("#status")).to_contain_text("The generator fits the face.")


def test_stop_in_stitching_keeps_what_there_is(tuned_page: Page, tmp_path: Path) -> None:
    page = tuned_page
    pick_change(page, "Younger")
    page.locator("#advanced > button, #advanced .label-wrap").first.click()
    page.locator("#settings input[type=search]").fill("stitching steps per frame")
    page.locator("#tweak-stitching-steps").fill("500")
    page.locator("#tweak-stitching-steps").press("Enter")
    page.locator("#make").click()
    page.wait_for_function("document.querySelector('.stit-player')?.player.feed.count > 1")
    page.locator("#stop").click()
    expect(page.locator("#measures")).to_contain_text(f"of {FRAMES} frames")
    expect(page.locator("#get-video")).to_have_text("Download the part")
    expect(page.locator("#stop")).to_be_hidden()
    video = download(page, "#get-video", tmp_path / "part.mp4")
    assert 1 <= imageio_ffmpeg.count_frames_and_secs(str(video))[0] < FRAMES


def test_a_video_that_ends_while_the_visitor_is_elsewhere_is_found(tuned_page: Page) -> None:
    page = tuned_page
    pick_change(page, "Smile")
    page.locator("#make").click()
    page.locator(".stit-player").wait_for()
    page.locator("#steps .step-button").first.click()
    page.locator(".stit-player").wait_for(state="hidden")
    page.locator("#status .job.done", has_text="The video is finished.").wait_for()
    page.locator("#status .job-see").click()
    expect(page.locator("#measures")).to_contain_text("Smile +2")
    expect(page.locator("#get-video")).to_be_visible()
    expect(page.locator("#status .job-see")).to_be_hidden()


@pytest.mark.parametrize(
    ("tab", "content"), [("Directions", "#library .direction"), ("Review", "#review-edits .factors-row")]
)
def test_a_tab_that_is_opened_before_the_run_is_there_is_filled(
    browser: Browser, server: Server, tab: str, content: str
) -> None:
    page, held, let = browser.new_page(), list[Route](), []
    page.route("**/queue/join*", lambda route: route.continue_() if let else held.append(route))
    page.goto(server.address)
    wait_until(page, lambda: bool(held))  # the arrival
    before = len(held)
    page.get_by_role("tab", name=tab).click()
    wait_until(page, lambda: len(held) > before)
    let.append(True)
    for route in held:
        route.continue_()
    page.locator(content).first.wait_for()
    expect(page.get_by_text("has not finished loading")).to_have_count(0)
    page.close()


def test_a_direction_is_trained_used_and_deleted(aligned_page: Page, server: Server, tmp_path: Path) -> None:
    pictures = write_set(tmp_path / "faces", {"serious": 0.0, "smiling": 1.0}, apart(24))
    archive = shutil.make_archive(str(tmp_path / "faces"), "zip", pictures)
    page = aligned_page
    page.get_by_role("tab", name="Directions").click()
    page.get_by_role("button", name="Train one from your own pictures").click()
    expect(page.locator("#library .direction")).to_have_count(3)
    page.locator("#zip input[type=file]").set_input_files(archive)
    page.locator("#zip").get_by_label("faces.zip").wait_for()
    page.get_by_label("Name").fill("grin")
    page.get_by_label("Below 0 it is").fill("serious")
    page.get_by_label("Above 0 it is").fill("grinning")
    page.locator("#train").click()
    page.locator("#status .job.done", has_text="The direction is ready.").wait_for()
    expect(page.locator("#library .direction")).to_have_count(4)
    expect(page.locator("#library .own")).to_have_count(1)
    page.get_by_role("tab", name="Studio").click()
    page.locator("#to-tune").click()
    page.locator("#to-edit").click()
    page.locator("#dials .card", has_text="Grin").click()
    expect(page.locator("#dial-grin")).to_be_visible()
    run = run_of(page)
    stored = [path for path in server.runs.rglob("grin.*") if run in str(path)]
    assert {path.suffix for path in stored} >= {".npy", ".json"}

    page.get_by_role("tab", name="Directions").click()
    answers = iter((False, True))
    page.on("dialog", lambda dialog: dialog.accept() if next(answers) else dialog.dismiss())
    delete = page.locator("#library .direction-delete")
    expect(delete).to_have_count(1)
    delete.click()
    expect(page.locator("#library .direction")).to_have_count(4)
    delete.click()
    expect(page.locator("#library .direction")).to_have_count(3)
    expect(delete).to_have_count(0)
    assert not [path for path in stored if path.exists()]
    page.get_by_role("tab", name="Studio").click()
    expect(page.locator("#dials .card", has_text="Grin")).to_have_count(0)
    expect(page.locator("#dial-grin")).to_have_count(0)


# --- What goes wrong ----------------------------------------------------------------------------------------------


def test_an_edit_without_a_change_is_told(aligned_page: Page) -> None:
    page = aligned_page
    go_to_edit(page)
    page.locator("#make").click()
    expect(page.locator(".toast-body")).to_contain_text("Choose a direction")


def test_a_setting_out_of_range_is_told(aligned_page: Page) -> None:
    page = aligned_page
    go_to_edit(page)
    page.locator("#advanced > button, #advanced .label-wrap").first.click()
    page.locator("#settings input[type=search]").fill("content weight")
    field = page.get_by_label("content weight")
    field.fill("-1")
    field.press("Enter")
    expect(page.locator(".toast-body")).to_contain_text("content_weight")


# --- Everybody ----------------------------------------------------------------------------------------------------


def press(page: Page, place: str, key: str) -> None:
    """Reach a control that can be used, and press a key on it."""
    control = page.locator(place).last
    expect(control).to_be_enabled()
    control.focus()
    if not control.evaluate("control => control === document.activeElement"):
        page.wait_for_timeout(1000)  # drawn anew just now, as the trim is once the clip is known
        control.focus()
    expect(control).to_be_focused()
    page.keyboard.press(key)


def test_by_keyboard_alone(page: Page) -> None:
    press(page, "#samples button", "Enter")
    expect(page.locator(".trim-length")).to_have_text(re.compile("3.52 of"))  # drawn anew once the clip is known
    for _ in range(5):
        press(page, "#trim .trim-last", "PageDown")
    expect(page.locator(".trim-length")).not_to_have_text(re.compile("3.52 of"))
    press(page, "#find", "Enter")
    page.locator("#crops img").first.wait_for()
    press(page, "#to-tune", "Space")
    press(page, "#to-edit", "Enter")
    page.locator("#dials .card").first.focus()
    page.keyboard.press("Space")
    press(page, "#dial-age", "ArrowRight")
    expect(page.get_by_label("Age: factor as a number")).to_have_value("1.6")
    page.locator("#wipe .wipe-after").first.wait_for()
    press(page, "#wipe .wipe-cut", "Home")
    expect(page.locator("#wipe .wipe-cut")).to_have_value("0")


def test_search_finds_a_change(aligned_page: Page) -> None:
    page = aligned_page
    go_to_edit(page)
    page.get_by_label("Search changes").fill("open")
    expect(page.locator("#dials .card:visible")).to_have_count(1)
    page.get_by_label("Search changes").fill("nothing like it")
    expect(page.locator("#dials .dials-none")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 3840])
def test_nothing_is_cut_off(browser: Browser, server: Server, prepared: PreparedRuns, width: int, scheme: str) -> None:
    viewport = {"width": width, "height": 812}
    with visit(browser, server, run=prepared.copy("aligned"), viewport=viewport, color_scheme=scheme) as tab:
        page = tab.page
        go_to_edit(page)
        page.locator("#dials .card").first.click()
        page.locator("#wipe .wipe-after").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
        red = int(re.findall(r"\d+", shade)[0])
        assert (red < 60) == (scheme == "dark")


def test_every_control_has_a_name(aligned_page: Page) -> None:
    page = aligned_page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, textarea, button")]
        .filter((one) => one.offsetParent && one.type !== "file")
        .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
          || one.title || one.textContent.trim()))
        .map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert nameless == []

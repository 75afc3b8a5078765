"""The page in Chromium: the whole way with the embedded pack, everything else with a tiny one, which is faster."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from benchmarks.page_server import (
    CHROMIUM,
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
from tests.support.drawn_face import write_clip
from tests.support.labelled_sets import apart, write_set
from tests.support.prepared_runs import PreparedRuns, prepare_runs

SAMPLE = ROOT / "assets" / "clips" / "young-woman-turning.mp4"
SECONDS = 0.6  # of the sample that are edited
FRAMES = 15

pytest_plugins = ["tests.support.fixtures_browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not (ROOT / "assets/packs/heads-256/pack.json").is_file(), reason="heads-256 is not here"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny: dict[str, str]) -> Iterator[Server]:
    """A page with a tiny pack and three directions, and places for temporary files of its own."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tmp").mkdir()
    places = {"TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "cache")}
    with serve(folder, tiny | places) as served:
        yield served


@pytest.fixture(scope="module")
def prepared(server: Server, tiny: dict[str, str]) -> Iterator[PreparedRuns]:
    with prepare_runs(server.runs, tiny, SAMPLE, SECONDS) as runs:
        yield runs


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with visit(browser, server) as tab:
        yield tab.page


@pytest.fixture
def aligned_page(browser: Browser, server: Server, prepared: PreparedRuns) -> Iterator[Page]:
    """A tab with a run whose crops are shown."""
    with visit(browser, server, run=prepared.copy("aligned")) as tab:
        tab.page.locator("#crops img").first.wait_for()
        yield tab.page


@pytest.fixture
def tuned_page(browser: Browser, server: Server, prepared: PreparedRuns) -> Iterator[Page]:
    """A tab with a run to which the generator is tuned."""
    with visit(browser, server, run=prepared.copy("tuned")) as tab:
        tab.page.locator("#dials .card").first.wait_for()
        yield tab.page


@pytest.fixture
def edited_page(browser: Browser, server: Server, prepared: PreparedRuns) -> Iterator[Page]:
    """A tab with a run that has a video, "Age -2"."""
    with visit(browser, server, run=prepared.copy("edited")) as tab:
        tab.page.locator("#measures .measures").wait_for()
        yield tab.page


def wait_until(page: Page, true: Callable[[], bool]) -> None:
    """Let the browser work until something is so."""
    for _ in range(600):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it does not become so")


def choose_person(page: Page, place: str, name: str) -> None:
    """Pick somebody of those who are offered; again where they were just being offered anew, which picks nobody."""
    one = page.locator(f"{place} label", has_text=name)

    def chosen() -> bool:
        if not one.locator("input").is_checked():
            one.click()
        page.wait_for_timeout(300)
        return one.locator("input").is_checked()

    wait_until(page, chosen)


def download(page: Page, selector: str, path: Path) -> Path:
    """Click a download button; the file."""
    with page.expect_download() as started:
        page.locator(selector).click()
    started.value.save_as(path)
    return path


def go_to_edit(page: Page) -> None:
    """From the crops to the edit, past the tuning."""
    page.locator("#to-tune").click()
    page.locator("#to-edit").click()


def pick_change(page: Page, suggestion: str) -> None:
    """A ready-made change and its preview."""
    page.locator("#dials .chip", has_text=suggestion).click()
    page.locator("#wipe .wipe-after").first.wait_for()


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


def test_of_two_faces_the_other_can_be_picked(page: Page, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "two.mp4", frames=8, size=(480, 200), others=((0.8, 0.5, 0.2),))
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#trim .key")).to_have_text("several faces")
    find_face(page)
    faces, first = page.locator("#faces .choice"), page.locator("#crops img").first
    expect(faces).to_have_count(2)
    expect(faces.nth(0)).to_have_attribute("aria-pressed", "true")
    before = first.get_attribute("src")
    faces.nth(1).click()
    expect(first).not_to_have_attribute("src", str(before))
    expect(faces.nth(1)).to_have_attribute("aria-pressed", "true")


def test_people_are_told_apart_joined_and_split(page: Page, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "pair.mp4", frames=8, size=(480, 200), others=((0.8, 0.5, 0.2),))
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#trim .key")).to_have_text("several faces")
    find_face(page)
    rows = page.locator("#tracks .track")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("0.0 to 0.8 s")
    page.locator("#who-is-who button").first.click()
    undo = page.locator("#tracks-undo")
    expect(undo).to_be_disabled()
    page.locator("#tracks-split").click()
    expect(page.get_by_text("Choose whom first.")).to_be_visible()
    choose_person(page, "#track-split", "Person 1")
    page.locator("#track-from input").fill("0.4")
    page.locator("#tracks-split").click()
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("0.0 to 0.4 s")
    expect(rows.nth(2)).to_contain_text("0.4 to 0.8 s")
    expect(undo).to_be_enabled()
    choose_person(page, "#track-one", "Person 0")
    choose_person(page, "#track-other", "Person 2")
    page.locator("#tracks-join").click()
    expect(page.get_by_text("are both seen in frame 4")).to_be_visible()
    choose_person(page, "#track-one", "Person 1")
    page.locator("#tracks-join").click()
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("0.0 to 0.8 s")
    undo.click()
    expect(undo).to_be_disabled()
    expect(rows).to_have_count(2)


def hold_messages(page: Page, held: list[Route], of: Callable[[str], bool]) -> None:
    """Keep back what the page sends to its functions, where the text of a message says so."""
    page.route(
        "**/queue/join*",
        lambda route: held.append(route) if of(route.request.post_data or "") else route.continue_(),
    )


def test_two_people_have_edits_of_their_own_in_one_video(page: Page, server: Server, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "pair.mp4", frames=8, size=(480, 200), others=((0.8, 0.5, 0.2),))
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#trim .key")).to_have_text("several faces")
    find_face(page)
    start_tuning(page)
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    page.locator("#to-edit").click()
    people = page.locator("#whose .choice")
    expect(people).to_have_count(2)
    expect(people.locator("img")).to_have_count(2)
    expect(people.nth(0)).to_have_attribute("aria-pressed", "true")

    # Whoever is turned to while a message is on its way: it changes the person of whom it was sent, and nobody else.
    held: list[Route] = []
    hold_messages(page, held, lambda sent: '"smile":1.5' in sent and not held)
    page.locator("#dials .card", has_text="Smile").first.click()
    wait_until(page, lambda: bool(held))
    people.nth(1).click()
    expect(people.nth(0)).to_contain_text("smile +1.5")  # which the turn itself brought
    expect(page.locator(".dial")).to_have_count(0)
    held[0].continue_()
    page.unroute_all()
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    expect(people.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(people.nth(1)).to_contain_text("no change")

    # While a person's edit is fetched nothing can be moved, so that nothing that was moved is overwritten.
    held.clear()
    hold_messages(page, held, lambda sent: '"id":0' in sent)
    people.nth(0).click()
    wait_until(page, lambda: bool(held))
    expect(page.locator("#dials")).to_have_attribute("inert", "")
    card = page.locator("#dials .card", has_text="Age").first
    card.scroll_into_view_if_needed()
    box = card.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#dials .card[aria-pressed=true]")).to_have_count(0)
    held[0].continue_()
    page.unroute_all()
    card.click()  # waits until it can
    expect(people.nth(0)).to_contain_text("smile +1.5, age +1.5")
    page.locator("#status .job.done", has_text="The generator fits").wait_for()

    people.nth(1).click()
    page.locator("#dials:not([inert]) .card", has_text="Age").first.click()
    page.locator("#to-all").click()
    expect(people.nth(0)).to_contain_text("age +1.5")
    expect(people.nth(0)).not_to_contain_text("smile")
    expect(people.nth(1)).to_contain_text("age +1.5")
    page.locator("#status .job.done", has_text="The generator fits").wait_for()
    people.nth(0).click()
    page.locator("#dials:not([inert]) .card", has_text="Smile").first.click()
    page.locator("#make").click()  # with the message of that still to come
    page.locator("#status .job.done", has_text="The video is finished.").wait_for()
    expect(page.locator("#measures")).to_contain_text("Person 0: age +1.5, smile +1.5; Person 1: age +1.5")
    video = download(page, "#get-video", tmp_path / "both.mp4")
    assert changed_sides(clip, video) == [True, True]

    come_back(page, server)
    expect(page.locator("#measures")).to_contain_text("Person 0: age +1.5, smile +1.5; Person 1: age +1.5")
    page.locator("#another").click()
    expect(people.nth(0)).to_contain_text("age +1.5, smile +1.5")
    expect(page.locator("#dial-smile")).to_have_value("1.5")


def changed_sides(source: Path, video: Path) -> list[bool]:
    """Whether the left and the right half of a video differ from its source."""
    first, second = (np.stack(list(video_frames(path))).astype(int) for path in (source, video))
    change = np.abs(first - second).max(axis=(0, -1))
    middle = change.shape[1] * 5 // 8  # between the two faces
    return [bool((half > 60).any()) for half in (change[:, :middle], change[:, middle:])]


def video_frames(path: Path) -> Iterator[np.ndarray]:
    """All frames of a video, (H, W, 3) uint8."""
    frames = imageio_ffmpeg.read_frames(str(path))
    width, height = next(frames)["size"]
    yield from (np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames)


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
    page.locator("#zip").get_by_text("faces.zip").wait_for()
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


def test_a_zip_that_is_none_is_told(page: Page, tmp_path: Path) -> None:
    false = tmp_path / "faces.zip"
    false.write_bytes(b"no archive" * 100)
    page.get_by_role("tab", name="Directions").click()
    page.get_by_role("button", name="Train one from your own pictures").click()
    page.locator("#zip input[type=file]").set_input_files(false)
    page.locator("#zip").get_by_text("faces.zip").wait_for()
    page.get_by_label("Name").fill("grin")
    page.locator("#train").click()
    expect(page.locator("#status .job.failed")).to_contain_text("faces.zip")


def test_two_visitors_share_nothing(browser: Browser, page: Page, server: Server) -> None:
    choose_sample(page, SECONDS)
    source = page.locator("#clip video").get_attribute("src") or ""
    with visit(browser, server) as other:
        assert run_of(other.page) != run_of(page)
        other.page.locator("#samples button").first.wait_for()
        expect(other.page.locator("#find")).to_be_disabled()
        expect(other.page.locator("#clip video")).to_have_count(0)
        expect(other.page.locator("#stop")).to_be_hidden()
    with visit(browser, server, run="A" * 22) as guessing:
        guessing.page.wait_for_url(lambda url: "A" * 22 not in url)
        assert run_of(guessing.page) != run_of(page)
    assert not (server.runs / "visitors" / ("A" * 22)).exists()
    assert run_of(page) not in source, "links would give the id away"
    stored = server.runs / "visitors" / run_of(page) / "page.json"
    assert stored.is_file()
    for path in (stored, ROOT / "app.py", Path("/etc/hostname")):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{server.address}gradio_api/file={path}", timeout=30)
        assert refusal.value.code in (403, 404)


def test_nobody_can_look_at_the_traffic(server: Server) -> None:
    for path in ("monitoring", "monitoring/summary"):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{server.address}{path}", timeout=30)
        assert refusal.value.code == 403


def test_deleting_leaves_nothing(page: Page, server: Server, tmp_path: Path) -> None:
    """Nor of what was uploaded and never used."""

    def files() -> set[Path]:
        records = {"page.json", "server.log"}  # of this run, and of the next one that the page begins
        return {path for path in server.log.parent.rglob("*") if path.is_file() and path.name not in records}

    before = files()
    run = run_of(page)
    clip = write_clip(tmp_path / "mine.mp4", frames=7)
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    page.locator("#trim .trim-first").wait_for()
    find_face(page)
    page.get_by_role("tab", name="Directions").click()
    page.get_by_role("button", name="Train one from your own pictures").click()
    pictures = write_set(tmp_path / "faces", {"serious": 0.0, "smiling": 1.0}, apart(2))
    page.locator("#below input[type=file]").set_input_files(pictures / "serious")
    page.locator("#below").get_by_text("p00_0").wait_for()
    expect(page.locator("#library .direction")).to_have_count(3)
    page.wait_for_timeout(1500)  # until nothing is on its way, as in `come_back`
    assert len(files()) > len(before)
    page.get_by_role("tab", name="Studio").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#delete").click()
    page.wait_for_url(lambda url: "run=" in url and run not in url)
    assert files() == before


# --- What goes wrong ----------------------------------------------------------------------------------------------


def test_a_tab_is_not_listened_to(browser: Browser, server: Server) -> None:
    streams: list[str] = []
    with visit(browser, server) as tab:
        tab.page.on("request", lambda request: streams.append(request.url) if "queue/data" in request.url else None)
        choose_sample(tab.page, SECONDS)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(streams[-1], timeout=30)


def test_text_instead_of_a_video_is_told(page: Page, tmp_path: Path) -> None:
    false = tmp_path / "holiday.mp4"
    false.write_text("This is no video.\n" * 100)
    page.locator("#clip input[type=file]").first.set_input_files(false)
    told = page.locator(".toast-body")
    expect(told).to_contain_text("is not a video that can be read")
    expect(page.locator("#find")).to_be_disabled()


def test_a_clip_without_a_face_is_told_before_and_after(page: Page, tmp_path: Path) -> None:
    clip = tmp_path / "nobody.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-f", "lavfi"]
    source = "gradients=s=256x256:r=25:duration=1"
    subprocess.run([*command, "-i", source, "-pix_fmt", "yuv420p", str(clip)], check=True, timeout=60)
    page.locator("#clip input[type=file]").first.set_input_files(clip)
    expect(page.locator("#clip-notice")).to_contain_text("face")
    page.locator("#find").click()
    expect(page.locator("#status .failed")).to_contain_text("face")


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


def test_by_keyboard_alone(page: Page) -> None:
    page.locator("#samples button").last.focus()
    page.keyboard.press("Enter")
    page.locator("#trim .trim-last").wait_for()
    page.locator("#trim .trim-last").focus()
    for _ in range(5):
        page.keyboard.press("PageDown")
    expect(page.locator(".trim-length")).not_to_have_text(re.compile("3.52 of"))
    page.locator("#find").focus()
    page.keyboard.press("Enter")
    page.locator("#crops img").first.wait_for()
    page.locator("#to-tune").focus()
    page.keyboard.press("Space")
    page.locator("#to-edit").focus()
    page.keyboard.press("Enter")
    page.locator("#dials .card").first.focus()
    page.keyboard.press("Space")
    page.locator("#dial-age").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Age: factor as a number")).to_have_value("1.6")
    page.locator("#wipe .wipe-after").first.wait_for()
    page.locator("#wipe .wipe-cut").focus()
    page.keyboard.press("Home")
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

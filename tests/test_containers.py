"""The container's files: they fit each other and the settings that there are, and give the page no more than it needs.

Docker is not at hand where the tests run: what is checked is what can be read.
"""

from __future__ import annotations

import ast
import fnmatch
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from page.server.probe import HEALTH

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
TEXT, LIST, FLAG = {"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "boolean"}


def record(**keys: Any) -> dict[str, Any]:
    return {"type": "object", "properties": keys, "additionalProperties": False}


# Of the Compose Specification, the keys that are used here.
DEVICE = record(driver=TEXT, count={"type": "integer"}, capabilities=LIST)
RESOURCES = record(reservations=record(devices={"type": "array", "items": DEVICE}))
HEALTHCHECK = record(test=LIST, interval=TEXT, timeout=TEXT, start_period=TEXT, retries={"type": "integer"})
SERVICE = record(
    image=TEXT,
    build=record(context=TEXT, args={"type": "object", "additionalProperties": TEXT}),
    ports=LIST,
    env_file={"type": "array", "items": record(path=TEXT, required=FLAG)},
    environment={"type": "object", "additionalProperties": TEXT},
    volumes=LIST,
    read_only=FLAG,
    tmpfs=LIST,
    cap_drop=LIST,
    security_opt=LIST,
    mem_limit=TEXT,
    memswap_limit=TEXT,
    pids_limit={"type": "integer"},
    init=FLAG,
    restart={"enum": ["no", "always", "on-failure", "unless-stopped"]},
    healthcheck=HEALTHCHECK,
    deploy=record(resources=RESOURCES),
)
SCHEMA = record(
    services={"type": "object", "additionalProperties": SERVICE},
    volumes={"type": "object", "additionalProperties": {"type": ["object", "null"]}},
)


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text())


def merged(base: Any, over: Any) -> Any:
    """As Compose lays one file over another, as far as these use it."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


def environment() -> dict[str, str]:
    """What the image's last stage sets."""
    block = re.search(r"^ENV (PATH=.*?[^\\])\n\n", DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :], re.MULTILINE | re.DOTALL)
    assert block is not None
    return dict(part.split("=", 1) for part in block[1].replace("\\\n", " ").split())


def known_variables() -> set[str]:
    """The settings that the program reads."""
    sources = [ROOT / "app.py", *(ROOT / "page").rglob("*.py"), *(ROOT / "stit_core").rglob("*.py")]
    return {name for path in sources for name in re.findall(r"[\"'](STIT_[A-Z0-9_]+)[\"']", path.read_text())}


CPU = load("compose.yaml")
FILES = {"cpu": CPU, "gpu": merged(CPU, load("compose.gpu.yaml"))}


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_the_file_is_one_of_the_specification(name: str) -> None:
    jsonschema.validate(load(name), SCHEMA)


@pytest.mark.parametrize("kind", FILES)
def test_the_page_runs_without_rights(kind: str) -> None:
    service = FILES[kind]["services"]["studio"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["pids_limit"] > 0
    assert [place.partition(":")[0] for place in service["tmpfs"]] == ["/tmp"]
    assert service["ports"][0].startswith("${STIT_ADDRESS:-127.0.0.1}:"), "on the network only where that is asked for"


@pytest.mark.parametrize("kind", FILES)
def test_what_it_writes_lies_on_a_volume(kind: str) -> None:
    (volume,) = FILES[kind]["services"]["studio"]["volumes"]
    name, _, place = volume.partition(":")
    assert name in FILES[kind]["volumes"]
    assert place == environment()["STIT_RUNS"]
    assert f"install -d -o studio -g studio {place}" in DOCKERFILE, "a new volume takes its owner from the image"


@pytest.mark.parametrize("kind", FILES)
def test_files_and_image_agree(kind: str) -> None:
    service = FILES[kind]["services"]["studio"]
    assert (ROOT / service["build"]["context"] / "Dockerfile").is_file()
    assert set(service["build"]["args"]) == set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))
    port = environment()["GRADIO_SERVER_PORT"]
    assert service["ports"][0].endswith(f":{port}")
    assert f"EXPOSE {port}\n" in DOCKERFILE
    asked = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert asked is not None
    assert service["healthcheck"]["test"] == ["CMD", *ast.literal_eval(asked[1])]
    assert (ROOT / "page/server/probe.py").is_file()
    assert HEALTH == "/health"


def test_every_setting_that_is_named_is_one() -> None:
    named = {*environment(), *FILES["gpu"]["services"]["studio"].get("environment", {})}
    known = known_variables()
    assert {name for name in named if name.startswith("STIT_")} <= known
    own = {"STIT_ADDRESS", "STIT_PORT", "STIT_MEMORY"}  # of compose.yaml itself
    asked = set(re.findall(r"\$\{(STIT_\w+)", (ROOT / "compose.yaml").read_text()))
    assert asked == own
    assert not own & known


def test_what_is_copied_is_there_and_what_is_not_needed_stays_out() -> None:
    for source in re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE):
        assert source == "." or list(ROOT.glob(source)), source
    left = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    for name in (".git", ".venv", "tests", "docs", "recipes", "runs", "node_modules", ".env", "stit-trial.key"):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in left), name
    for name in ("app.py", "page", "stit_core", "assets", "directions", "requirements.txt", "README.md"):
        assert not any(fnmatch.fnmatch(name, pattern) for pattern in left), name


def test_the_page_owns_nothing_that_it_runs() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert last.index("USER studio") > last.index("COPY . .")
    assert "--chown" not in last

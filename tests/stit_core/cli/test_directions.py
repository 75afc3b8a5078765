"""The commands about directions: train, list, show, delete."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from stit_core.__main__ import main
from stit_core.cli.commands import Bars
from stit_core.directions.labelled_pictures import open_pictures
from stit_core.directions.library import Card, list_directions, save_direction
from stit_core.packs.loading import Models
from tests.support.tiny_pack import make_direction
from tests.support.training_cases import train

pytest_plugins = ["tests.support.fixtures_pack", "tests.support.fixtures_training"]


def test_the_command_trains_tells_and_lists(smiles: Path, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["directions", "train", str(smiles), "--name", "grin", "--pack", "tiny", "--aligned"]
    texts = ["--classes", "smiling,serious", "--title", "Grin", "--positive", "stern", "--negative", "grinning"]
    assert main([*arguments, *texts]) == 0
    told = capsys.readouterr().out
    assert "grin: Grin" in told
    assert "+ stern / - grinning" in told
    assert "21 of 'smiling', 21 of 'serious'; 42 people; 0 skipped" in told
    assert "warning      Only 21 pictures of 'serious'" in told
    assert main(["directions", "show", "grin", "--pack", "tiny"]) == 0
    assert capsys.readouterr().out == told
    assert main(["directions", "list", "--pack", "tiny"]) == 0
    assert capsys.readouterr().out == "grin                   Grin: - grinning / + stern (your own)\n"
    assert main(["directions", "show", "grin", "--pack", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((own / "tiny" / "grin.json").read_text())
    assert main(["directions", "show", "grin", "--pack", "tiny"]) == 0
    assert "  changes      unknown; automatic: skin, brows" in capsys.readouterr().out  # too little changes here

    assert main(arguments) == 1
    assert "There is a direction 'grin' of 'tiny' already" in capsys.readouterr().err
    assert main([*arguments, "--force", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["directions"]
    assert (listed[0]["negative"], listed[0]["positive"]) == ("serious", "smiling")

    assert main(["directions", "delete", "grin", "--pack", "tiny"]) == 0
    assert not list((own / "tiny").iterdir())


def test_skipped_pictures_are_told(smiles: Path, own: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(smiles, home / "set")
    (home / "set" / "smiling" / "bad_1.png").write_bytes(b"no")
    arguments = ["directions", "train", str(home / "set"), "--name", "grin", "--pack", "tiny", "--aligned"]
    assert main([*arguments, "--output", str(home / "elsewhere")]) == 0
    assert "skipped      smiling/bad_1.png: it cannot be read as a picture" in capsys.readouterr().out
    assert (home / "elsewhere" / "tiny" / "grin.npy").is_file()
    assert not own.exists()


def test_ctrl_c_ends_in_words(
    smiles: Path, own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: Bars, stage: str, done: int, total: int) -> None:  # noqa: ARG001
        if done == 10:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Bars, "__call__", interrupted)
    assert main(["directions", "train", str(smiles), "--name", "grin", "--pack", "tiny", "--aligned"]) == 130
    told = capsys.readouterr()
    assert "the same command goes on from there" in told.err
    assert told.out == ""
    assert not own.exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--folds", "1"], "folds"),
        (["--seed", "-1"], "seed"),
        (["--classes", "smiling,happy"], "cannot be taken as the classes"),
        (["--device", "cuda:99"], "cannot be used"),
        (["--hold", "gender"], "no direction 'gender'"),
    ],
)
def test_wrong_options_end_in_words(
    smiles: Path, own: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["directions", "train", str(smiles), "--name", "grin", "--pack", "tiny", *more]) == 1
    assert told in capsys.readouterr().err
    assert not own.exists()


def test_a_shipped_direction_is_hidden_and_never_overwritten(
    smiles: Path, models: Models, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_direction(models.pack, make_direction(9), Card("smile", "Shipped"), home / "shipped")
    before = {path: path.read_bytes() for path in (home / "shipped" / "tiny").iterdir()}
    found = train(open_pictures(smiles), models)[0]
    assert any("hides the direction 'smile' that came with the program" in w for w in found.card.training["warnings"])
    assert "smile" not in found.card.training["cosine"]
    assert [card.title for card in list_directions(models.pack)] == ["Smile"]
    assert main(["directions", "delete", "smile", "--pack", "tiny"]) == 0
    assert main(["directions", "delete", "smile", "--pack", "tiny"]) == 1
    assert "came with the program" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (home / "shipped" / "tiny").iterdir()} == before

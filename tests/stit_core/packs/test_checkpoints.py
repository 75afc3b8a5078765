"""Small files in each official format, written and read back; altered, hostile and truncated ones refused."""

from __future__ import annotations

import collections
import os
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stit_core.errors import CheckpointError
from stit_core.models.generator import Generator
from stit_core.models.perceptual import Lpips
from stit_core.packs import checkpoints
from stit_core.packs.official_names import nvidia_slots, rosinality_slots
from tests.support.rule_weights import weights_by_rule

W_DIM = 12
PLAN = {4: 6, 8: 6, 16: 4}


@pytest.fixture
def plan() -> Generator:
    torch.manual_seed(0)
    return Generator(16, W_DIM, W_DIM, 2, PLAN)


def state_of(plan: Generator, names: str) -> dict[str, Tensor]:
    slots = nvidia_slots(plan) if names == "nvidia" else rosinality_slots(plan)
    return weights_by_rule({name: slot.shape for name, slot in slots.items()}, stylegan=True)


@pytest.fixture
def persistence() -> Iterator[type]:
    """A stand-in for torch_utils.persistence, as the official files name it, there only while a file is written."""
    package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")

    def rebuild(_: dict[str, Any]) -> object:
        raise AssertionError("nothing in the file may be called")

    rebuild.__module__, rebuild.__qualname__ = "torch_utils.persistence", "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = rebuild  # type: ignore[attr-defined]

    class Persistent(nn.Module):
        source = "raise SystemExit('run')"

        def __reduce__(self) -> tuple[Any, ...]:
            meta = {"type": "class", "version": 6, "module_src": self.source, "class_name": "Generator"}
            return rebuild, ({**meta, "state": dict(self.__dict__)},)

    sys.modules.update({"torch_utils": package, "torch_utils.persistence": module})
    yield Persistent
    del sys.modules["torch_utils"], sys.modules["torch_utils.persistence"]


def write_nvidia(path: Path, state: dict[str, Tensor], persistent: type) -> None:
    """Write a pickle of modules rebuilt through torch_utils.persistence around legacy torch storages."""
    root = persistent()
    for name, tensor in state.items():
        *parents, leaf = name.split(".")
        module = root
        for parent in parents:
            if parent not in module._modules:
                module.add_module(parent, persistent())
            module = module._modules[parent]
        if leaf in ("resample_filter", "noise_const", "w_avg"):
            module.register_buffer(leaf, tensor)
        else:
            module.register_parameter(leaf, nn.Parameter(tensor))
    with path.open("wb") as file:
        pickle.dump({"G": None, "D": None, "G_ema": root, "training_set_kwargs": {"size": 8}}, file)


def test_nvidia_pickle_is_read_back_without_its_module(tmp_path: Path, plan: Generator, persistence: type) -> None:
    state = state_of(plan, "nvidia")
    write_nvidia(tmp_path / "net.pkl", state, persistence)
    assert b"SystemExit" in (tmp_path / "net.pkl").read_bytes()
    read = checkpoints.read_nvidia_pickle(tmp_path / "net.pkl")
    assert set(read) == set(state)
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    generator = checkpoints.generator_from_state(read)
    assert (generator.resolution, generator.w_dim, generator.mapping_layers) == (16, W_DIM, 2)
    assert generator.channels == PLAN
    assert torch.equal(generator.w_avg, state["mapping.w_avg"])


def test_both_naming_schemes_make_the_same_generator(plan: Generator) -> None:
    """The same values under either name give the same picture."""
    by_ours = {slot.ours: name for name, slot in nvidia_slots(plan).items() if slot.ours}
    nvidia = state_of(plan, "nvidia")
    rosinality = {}
    for name, slot in rosinality_slots(plan).items():
        rosinality[name] = slot.value if slot.ours is None else nvidia[by_ours[slot.ours]].reshape(slot.shape)
    a = checkpoints.generator_from_state(nvidia)
    b = checkpoints.generator_from_state(rosinality, latent_avg=nvidia["mapping.w_avg"])
    z = torch.randn(2, W_DIM)
    assert torch.equal(a(z, truncation_psi=0.5), b(z, truncation_psi=0.5))


def test_e4e_file_is_read_back_and_split(tmp_path: Path, plan: Generator) -> None:
    decoder = state_of(plan, "rosinality")
    encoder = {"input_layer.0.weight": torch.randn(2, 3)}
    state = {f"decoder.{k}": v for k, v in decoder.items()} | {f"encoder.{k}": v for k, v in encoder.items()}
    latent_avg = torch.randn(plan.num_ws, W_DIM)
    torch.save({"state_dict": state, "opts": {"lr": 1e-4}, "latent_avg": latent_avg}, tmp_path / "e4e.pt")
    found_encoder, found_decoder, found_avg = checkpoints.split_e4e(checkpoints.read_torch(tmp_path / "e4e.pt"))
    assert set(found_encoder) == set(encoder)
    assert torch.equal(found_avg, latent_avg)
    assert checkpoints.generator_from_state(found_decoder, found_avg).num_ws == plan.num_ws
    with pytest.raises(CheckpointError, match=r"lacks latent_avg"):
        checkpoints.split_e4e({"state_dict": state})
    with pytest.raises(CheckpointError, match=r"should not: discriminator\.a"):
        checkpoints.split_e4e({"state_dict": {"discriminator.a": 0}, "latent_avg": latent_avg})


def test_perceptual_passes_over_the_classifier_only() -> None:
    network = Lpips()
    trunk = {**network.trunk.state_dict(), "classifier.1.weight": torch.zeros(1)}
    heads = network.heads.state_dict()
    checkpoints.perceptual_from_state(trunk, heads)
    with pytest.raises(CheckpointError, match=r"classifier\.2\.weight"):
        checkpoints.perceptual_from_state({**trunk, "classifier.2.weight": torch.zeros(1)}, heads)
    with pytest.raises(CheckpointError, match=r"lin3\.model\.1\.weight"):
        checkpoints.perceptual_from_state(trunk, {k: v for k, v in heads.items() if not k.startswith("lin3")})


@pytest.mark.parametrize("names", ["nvidia", "rosinality"])
def test_every_missing_misshapen_or_broken_parameter_is_named(names: str, plan: Generator) -> None:
    whole = state_of(plan, names)
    for name, tensor in whole.items():
        faults: list[dict[str, Any]] = [
            {k: v for k, v in whole.items() if k != name},
            {**whole, name: tensor[None]},
            {**whole, name: torch.full_like(tensor, float("nan"))},
            {**whole, name: "text"},
        ]
        if tensor.ndim and tensor.shape[0] > 1:
            faults.append({**whole, name: tensor[:-1]})
        for fault in faults:
            with pytest.raises(CheckpointError) as caught:
                checkpoints.generator_from_state(fault)
            assert name in caught.value.message
            assert caught.value.hint
    with pytest.raises(CheckpointError, match=r"should not: extra\.weight"):
        checkpoints.generator_from_state({**whole, "extra.weight": torch.zeros(2)})
    misshapen = {**whole, (last := next(iter(whole))): whole[last][None]}
    with pytest.raises(CheckpointError, match=r"expected \[.*\], found \[1, "):
        checkpoints.generator_from_state(misshapen)


def test_another_filter_and_foreign_names_are_refused(plan: Generator) -> None:
    state = state_of(plan, "nvidia")
    name = "synthesis.b8.conv0.resample_filter"
    with pytest.raises(CheckpointError, match=rf"unknown filter: {name}"):
        checkpoints.generator_from_state({**state, name: 2 * state[name]})
    for foreign in ({}, {"a": torch.zeros(1)}, {"synthesis.b8.x": torch.zeros(1)}):
        with pytest.raises(CheckpointError):
            checkpoints.generator_from_state(foreign)


class Attack:
    """An object whose unpickling would run a command."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("function", [os.system, exec, eval, pickle.loads, getattr, collections.namedtuple])
def test_a_pickle_that_runs_code_is_refused_without_effect(function: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    command = f"touch {mark}" if function is os.system else f"open({str(mark)!r}, 'w')"
    content = {"G_ema": Attack(function, command)}
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError, match=r"bad\.pkl is refused: the file asks for"):
        checkpoints.read_nvidia_pickle(tmp_path / "bad.pkl")
    torch.save(content, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match=r"bad\.pt is refused: it asks to run code"):
        checkpoints.read_torch(tmp_path / "bad.pt")
    assert not mark.exists()


def test_a_tensor_outside_its_storage_is_refused(tmp_path: Path) -> None:
    storage = torch.zeros(4).storage()
    for offset, size, stride in ((0, (10**12,), (1,)), (3, (2,), (1,)), (0, (10**9,), (0,)), (-1, (2,), (1,))):
        tensor = Attack(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, None)
        (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"G_ema": tensor}))
        with pytest.raises(CheckpointError, match="cannot be read as a StyleGAN2 pickle"):
            checkpoints.read_nvidia_pickle(tmp_path / "bad.pkl")


def test_truncated_and_foreign_files_are_refused(tmp_path: Path, plan: Generator, persistence: type) -> None:
    write_nvidia(tmp_path / "net.pkl", state_of(plan, "nvidia"), persistence)
    torch.save(state_of(plan, "rosinality"), tmp_path / "net.pt")
    torch.save(state_of(plan, "rosinality"), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    readers = {"net.pkl": checkpoints.read_nvidia_pickle}
    for file in ("net.pkl", "net.pt", "old.pt"):
        read = readers.get(file, checkpoints.read_torch)
        whole = (tmp_path / file).read_bytes()
        read(tmp_path / file)
        for part in (0, 1, 100, len(whole) // 2, len(whole) - 20):
            (tmp_path / f"cut-{file}").write_bytes(whole[:part])
            with pytest.raises(CheckpointError, match=rf"cut-{file} cannot be read"):
                read(tmp_path / f"cut-{file}")
        with pytest.raises(CheckpointError, match="absent cannot be read"):
            read(tmp_path / "absent")
    for content in ([1, 2], {"G": 1}, {"G_ema": 3}, {"G_ema": collections.OrderedDict()}):
        (tmp_path / "other.pkl").write_bytes(pickle.dumps(content))
        with pytest.raises(CheckpointError, match=r"holds no generator|not a module"):
            checkpoints.read_nvidia_pickle(tmp_path / "other.pkl")

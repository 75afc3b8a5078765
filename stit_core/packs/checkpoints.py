"""Readers of the official checkpoint formats, and the networks built from what they read.

Files are hostile until read: PyTorch files go through `weights_only`, NVIDIA's pickles through an unpickler that knows
tensors and ordered dicts and turns everything else it has heard of into inert objects. Nothing stored in a file is run.
A state must fit its network exactly; the errors name the parameters by the file's own names.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from statistics import mode
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stit_core.errors import CheckpointError
from stit_core.models.encoders import E4eEncoder
from stit_core.models.generator import Generator, block_resolutions
from stit_core.models.identity import ArcFace
from stit_core.models.parsing import BiSeNet
from stit_core.models.perceptual import Lpips
from stit_core.packs.official_names import Slot, nvidia_slots, official_layer, rosinality_slots

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)

LARGEST_RESOLUTION = 2048
MOST_STYLES = 18  # style heads of an e4e encoder for 1024 px
DEEPEST_NESTING = 32  # modules within modules
NAMES_SHOWN = 6
FETCH_HINT = "Fetch the file again and compare its sha256 with the published one."
FILE_HINT = "Check that this is the right file and that it was downloaded completely."
# What broken or malicious bytes make an unpickler raise.
READ_ERRORS = (
    pickle.UnpicklingError, EOFError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError,
    ArithmeticError, MemoryError, AssertionError, ImportError, zipfile.BadZipFile,
)  # fmt: skip


class _Inert:
    """Stands for an object that is neither needed nor rebuilt; takes whatever the pickle does to it."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _InertDict(dict[Any, Any]):
    """A dict without the behaviour of the class that it stands for."""

    def __setstate__(self, state: object) -> None:
        pass


def _storage_from_bytes(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensor_from_storage(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Tensor:
    """Rebuild a tensor after checking that it lies inside its storage and does not blow it up."""
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError("a tensor without a storage")
    size, stride = [int(n) for n in size], [int(n) for n in stride]
    if len(size) != len(stride) or min([0, offset, *size, *stride]) < 0:
        raise pickle.UnpicklingError(f"a tensor of impossible shape {size}, strides {stride}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = torch.Size(size).numel()
    stored = storage._untyped_storage.nbytes() // storage.dtype.itemsize
    if count and (last >= stored or count > stored):
        raise pickle.UnpicklingError(f"a tensor of shape {size} that does not fit its storage")
    flat = torch.empty(0, dtype=storage.dtype).set_(storage._untyped_storage, 0, (stored,), (1,))
    return flat.as_strided(size, stride, offset).clone()


def _parameter_data(data: Tensor, *_: object) -> Tensor:
    return data


_REBUILT: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor_from_storage,
    ("torch._utils", "_rebuild_parameter"): _parameter_data,
    ("torch.storage", "_load_from_bytes"): _storage_from_bytes,
}
_INERT_MODULES = ("torch.nn.modules.", "numpy", "torch_utils.persistence", "dnnlib")
_INERT_NAMES = {("torch", "device"), ("torch", "Size"), ("_codecs", "encode"), ("builtins", "set")}


class _TensorUnpickler(pickle.Unpickler):
    """Rebuilds tensors and ordered dicts; captures other known names as inert objects and refuses the rest."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) in _REBUILT:
            # A new partial each time: what the pickle does to it stays with it.
            return partial(_REBUILT[module, name])
        if module.startswith("dnnlib") and name == "EasyDict":
            return _InertDict
        known_dtype = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if known_dtype or (module, name) in _INERT_NAMES or module.startswith(_INERT_MODULES):
            return _Inert
        raise CheckpointError(f"the file asks for {module}.{name}, which no checkpoint needs", FETCH_HINT)


def read_nvidia_pickle(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of G_ema from a StyleGAN2-ADA pickle; nothing from the file is executed.

    Returns: parameter and buffer names of the official generator, e.g. "synthesis.b4.const", to float tensors.

    Raises
    ------
    CheckpointError: the file cannot be read, is cut off, asks for anything but tensors, or has no G_ema.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = _TensorUnpickler(file).load()
    except CheckpointError as error:
        raise CheckpointError(f"{path.name} is refused: {error.message}.", error.hint) from error
    except (*READ_ERRORS, RecursionError) as error:
        raise CheckpointError(
            f"{path.name} cannot be read as a StyleGAN2 pickle: {_brief(error)}.", FILE_HINT
        ) from error
    found: dict[str, Tensor] = {}
    if not isinstance(content, dict) or "G_ema" not in content:
        raise CheckpointError(f"{path.name} holds no generator G_ema.", FILE_HINT)
    _collect(content["G_ema"], "", found, path.name, 0)
    return found


def _collect(module: object, prefix: str, found: dict[str, Tensor], file: str, depth: int) -> None:
    """Add the tensors of a captured module and of the modules in it, by their dotted names."""
    state = _module_state(module)
    if state is None or depth > DEEPEST_NESTING:
        raise CheckpointError(f"{file}: {prefix.rstrip('.') or 'G_ema'} is not a module with parameters.", FILE_HINT)
    for kind in ("_parameters", "_buffers", "_modules"):
        entries = state.get(kind, {})
        if not isinstance(entries, Mapping):
            raise CheckpointError(f"{file}: {prefix}{kind} is not a table.", FILE_HINT)
        for name, value in entries.items():
            if value is None:
                continue
            if kind == "_modules":
                _collect(value, f"{prefix}{name}.", found, file, depth + 1)
            elif isinstance(value, Tensor):
                found[f"{prefix}{name}"] = value
            else:
                raise CheckpointError(f"{file}: {prefix}{name} is not a tensor.", FILE_HINT)


def _module_state(module: object) -> Mapping[str, Any] | None:
    """The state of a persistent object (in its meta argument) or of a plain module, None for others."""
    if not isinstance(module, _Inert):
        return None
    meta = module.arguments[0] if module.arguments else None
    state = meta.get("state") if isinstance(meta, Mapping) else module.state
    return state if isinstance(state, Mapping) else None


def read_torch(path: str | Path) -> dict[str, Any]:
    """Read a PyTorch checkpoint, tensors and plain values only, on the CPU.

    Raises
    ------
    CheckpointError: the file cannot be read, is cut off, holds code or is no table.
    """
    path = Path(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (*READ_ERRORS, RecursionError) as error:
        if _asks_for_code(error):
            raise CheckpointError(f"{path.name} is refused: it asks to run code.", FETCH_HINT) from error
        raise CheckpointError(f"{path.name} cannot be read as a PyTorch file: {_brief(error)}.", FILE_HINT) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path.name} holds no table of parameters.", FILE_HINT)
    return dict(content)


def _asks_for_code(error: BaseException) -> bool:
    """Tell whether the weights-only reader met a name that is no tensor's, in any of its wordings."""
    return re.search(r"unsupported (global|class)|is blocked", str(error), re.IGNORECASE) is not None


def split_e4e(checkpoint: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Split an e4e checkpoint {state_dict, opts, latent_avg} into encoder state, decoder state and latent_avg.

    The states come without their prefixes.

    Raises
    ------
    CheckpointError: names what is missing or unknown.
    """
    missing = [key for key in ("state_dict", "latent_avg") if key not in checkpoint]
    if missing:
        raise CheckpointError(f"the e4e checkpoint lacks {', '.join(missing)}.", FILE_HINT)
    state, latent_avg = checkpoint["state_dict"], checkpoint["latent_avg"]
    if not isinstance(state, Mapping) or not isinstance(latent_avg, Tensor):
        raise CheckpointError("the e4e checkpoint's state_dict or latent_avg is of the wrong kind.", FILE_HINT)
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}}
    for key, value in state.items():
        part, _, name = str(key).partition(".")
        if part not in parts:
            raise CheckpointError(f"the e4e checkpoint holds a parameter that it should not: {key}.", FILE_HINT)
        parts[part][name] = value
    return parts["encoder"], parts["decoder"], latent_avg


def load_exactly(
    network: Network, state: Mapping[str, Any], what: str, slots: Mapping[str, Slot] | None = None
) -> Network:
    """Fill a network from a state that must hold exactly its parameters, in its shapes, finite; set it to evaluation.

    Values in fp16 and bf16 become float32.

    Parameters
    ----------
    network: is filled in place.
    state: parameters by name.
    what: the network's name in errors.
    slots: for a state in names and shapes that differ from the network's own.

    Raises
    ------
    CheckpointError: names the parameters that are missing, additional, misshapen, not numbers or not finite.
    """
    own = network.state_dict()
    if slots is None:
        slots = {name: Slot(tuple(tensor.shape), name) for name, tensor in own.items()}
    _refuse(what, "lacks parameters", (name for name in slots if name not in state))
    _refuse(what, "holds parameters that it should not", (str(name) for name in state if name not in slots))
    _refuse(what, "holds what is not a tensor", (name for name in slots if not isinstance(state[name], Tensor)))
    _refuse(
        what,
        "holds misshapen parameters",
        (
            f"{name} (expected {list(slot.shape)}, found {list(state[name].shape)})"
            for name, slot in slots.items()
            if tuple(state[name].shape) != slot.shape
        ),
    )
    _refuse(what, "holds values that are not finite", (name for name in slots if not _finite(state[name])))
    _refuse(what, "has an unknown filter", (name for name, slot in slots.items() if not _as_given(state[name], slot)))
    taken = {
        slot.ours: state[name].detach().to(own[slot.ours].dtype).reshape(own[slot.ours].shape)
        for name, slot in slots.items()
        if slot.ours is not None
    }
    # What the file does not hold (w_avg beside a rosinality generator) keeps the network's own value.
    network.load_state_dict({**own, **taken}, assign=any(tensor.is_meta for tensor in own.values()))
    return network.eval()


def _refuse(what: str, fault: str, names: Iterable[str]) -> None:
    """Raise a CheckpointError if there are any names, listing the first of them."""
    found = list(names)
    if found:
        more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
        raise CheckpointError(f"the {what} {fault}: {', '.join(found[:NAMES_SHOWN])}{more}.", FILE_HINT)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_complex() and not tensor.is_quantized and bool(torch.isfinite(tensor).all())


def _as_given(tensor: Tensor, slot: Slot) -> bool:
    return slot.value is None or torch.allclose(tensor.float(), slot.value, atol=1e-6)


def _brief(error: BaseException) -> str:
    """The first line of an error; PyTorch's own advice to turn its safety off is left out."""
    if "weights_only" in str(error):
        return "its table of parameters is damaged"
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]


def generator_from_state(state: Mapping[str, Any], latent_avg: Tensor | None = None) -> Generator:
    """Build the generator from parameters under NVIDIA's names or rosinality's; the keys tell which.

    Resolution, channels and mapping layers follow from the shapes.

    Parameters
    ----------
    state: parameters by name.
    latent_avg: (w_dim,) or (L, w_dim), the mean w, which rosinality's names do not include.

    Raises
    ------
    CheckpointError: as load_exactly.
    """
    nvidia = any(str(key).startswith("synthesis.") for key in state)
    layers = _layers(state, r"mapping\.fc(\d+)\.", 0) if nvidia else _layers(state, r"style\.(\d+)\.", 1)
    resolution = _resolution(state, nvidia)
    channels, w_dim = _channel_plan(state, resolution, nvidia)
    if layers < 1 or w_dim < 1:
        raise CheckpointError("the generator's checkpoint holds no mapping network.", FILE_HINT)
    generator = Generator(resolution, w_dim, w_dim, layers, channels)
    slots = nvidia_slots(generator) if nvidia else rosinality_slots(generator)
    load_exactly(generator, state, "generator's checkpoint", slots)
    if latent_avg is not None:
        generator.w_avg.copy_(_mean_rows(latent_avg, generator.num_ws, w_dim)[0])
    return generator


def _layers(state: Mapping[str, Any], pattern: str, first: int) -> int:
    matches = [re.match(pattern, str(key)) for key in state]
    return max((int(match[1]) + 1 - first for match in matches if match and len(match[1]) < 3), default=0)


def _resolution(state: Mapping[str, Any], nvidia: bool) -> int:
    """The largest resolution whose last convolution or toRGB weight is there."""
    for resolution in reversed(block_resolutions(LARGEST_RESOLUTION)[1:]):
        conv, rgb = (f"{official_layer(f'blocks.b{resolution}.{layer}', nvidia)}" for layer in ("conv1", "torgb"))
        suffix = "weight" if nvidia else "conv.weight"
        if f"{conv}.{suffix}" in state or f"{rgb}.{suffix}" in state:
            return resolution
    raise CheckpointError("the generator's checkpoint has neither NVIDIA's nor rosinality's names.", FILE_HINT)


def _channel_plan(state: Mapping[str, Any], resolution: int, nvidia: bool) -> tuple[dict[int, int], int]:
    """Resolution -> channels and w_dim, as most of the shapes that depend on them have it.

    Going by the majority, one misshapen parameter is named alone, not everything that meets it.
    """
    modulation = "affine" if nvidia else "conv.modulation"
    plan: dict[int, int] = {}
    widths: list[int] = []
    for size in block_resolutions(resolution):
        conv, rgb = (official_layer(f"blocks.b{size}.{layer}", nvidia) for layer in ("conv1", "torgb"))
        sources = [f"{conv}.{'bias' if nvidia else 'activate.bias'}"]
        sources += [f"{layer}.{modulation}.{kind}" for layer in (conv, rgb) for kind in ("bias", "weight")]
        counts = [n for name in sources if (n := _side(state, name, 0)) > 0]
        _refuse("generator's checkpoint", "lacks parameters", [] if counts else [sources[0]])
        plan[size] = mode(counts)
        widths += [n for layer in (conv, rgb) if (n := _side(state, f"{layer}.{modulation}.weight", 1)) > 0]
    return plan, mode(widths) if widths else 0


def _side(state: Mapping[str, Any], name: str, axis: int) -> int:
    """A tensor's length along an axis, 0 when there is none."""
    tensor = state.get(name)
    return int(tensor.shape[axis]) if isinstance(tensor, Tensor) and tensor.ndim > axis else 0


def encoder_from_state(state: Mapping[str, Any], latent_avg: Tensor | None = None) -> E4eEncoder:
    """Build the e4e encoder; keys may carry the prefix `encoder.`, and then those of `decoder.` are passed over.

    Parameters
    ----------
    state: parameters by name.
    latent_avg: (512,) or (L, 512), added to every result; zeros when None.

    Raises
    ------
    CheckpointError: as load_exactly.
    """
    prefix = "encoder."
    if any(str(key).startswith(prefix) for key in state):
        state = {
            str(key).removeprefix(prefix): value for key, value in state.items() if not str(key).startswith("decoder.")
        }
    num_ws = min(max(_layers(state, r"styles\.(\d+)\.", 0), 1), MOST_STYLES)
    with torch.device("meta"):  # drawing 260 million first weights would take seconds
        encoder = E4eEncoder(num_ws)
    load_exactly(encoder, state, "encoder's checkpoint")
    encoder.w_avg = torch.zeros(num_ws, 512) if latent_avg is None else _mean_rows(latent_avg, num_ws, 512)
    return encoder.requires_grad_(False)


def _mean_rows(latent_avg: Tensor, num_ws: int, w_dim: int) -> Tensor:
    """A latent_avg of either shape as (num_ws, w_dim)."""
    if tuple(latent_avg.shape) not in ((w_dim,), (1, w_dim), (num_ws, w_dim)) or not _finite(latent_avg):
        raise CheckpointError(
            f"latent_avg must be {num_ws} x {w_dim} or {w_dim} finite numbers, found {list(latent_avg.shape)}.",
            FILE_HINT,
        )
    return latent_avg.float().expand(num_ws, w_dim).clone()


def parser_from_state(state: Mapping[str, Any]) -> BiSeNet:
    """Build the 19-class face parser. Raises CheckpointError as load_exactly."""
    return load_exactly(BiSeNet(), state, "parser's checkpoint").requires_grad_(False)


def identity_from_state(state: Mapping[str, Any]) -> ArcFace:
    """Build the ArcFace identity network. Raises CheckpointError as load_exactly."""
    with torch.device("meta"):
        network = ArcFace()
    return load_exactly(network, state, "identity network's checkpoint").requires_grad_(False)


def perceptual_from_state(trunk: Mapping[str, Any], heads: Mapping[str, Any]) -> Lpips:
    """Build LPIPS from torchvision's AlexNet (its classifier is passed over) and the published heads.

    Raises
    ------
    CheckpointError: as load_exactly.
    """
    unused = {f"classifier.{index}.{kind}" for index in (1, 4, 6) for kind in ("weight", "bias")}
    perceptual = Lpips()
    load_exactly(perceptual.trunk, {k: v for k, v in trunk.items() if k not in unused}, "perceptual trunk's checkpoint")
    load_exactly(perceptual.heads, heads, "perceptual heads' checkpoint")
    return perceptual.eval().requires_grad_(False)

"""Model packs: finding them, fetching their files, and the networks made from them.

A pack is a folder with a pack.json. Its files lie beside it, in $STIT_PACKS, in the user's cache folder, or inside an
installed package (dlib's models, the LPIPS heads). Source: ours.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from stit_core.errors import PackError
from stit_core.models.attributes import AttributeNet, FeaturePerceptual
from stit_core.models.compact import CompactEncoder, CompactParser, folded
from stit_core.models.generator import Generator
from stit_core.models.interfaces import Attributes, Encoder, FaceGenerator, Identity, Parser, Perceptual
from stit_core.models.reader import CompactReader
from stit_core.packs import checkpoints
from stit_core.packs.downloads import DownloadLimits, download
from stit_core.packs.manifest import (
    MANIFEST,
    PLAIN_NAME,
    Pack,
    PackFile,
    Part,
    locate,
    pack_roots,
    read_manifest,
    user_folder,
    verified_paths,
    verify_pack,
)
from stit_core.runtime import Runtime
from stit_core.store.disk import disk_errors

DEFAULT_PACK = "heads-256"


def list_packs() -> list[Pack]:
    """Every pack found in $STIT_PACKS, the user's cache folder and the assets, by name; the first of a name counts."""
    found: dict[str, Pack] = {}
    for root in pack_roots():
        for manifest in sorted(root.glob(f"*/{MANIFEST}")):
            pack = read_manifest(manifest)
            found.setdefault(pack.name, pack)
    return sorted(found.values(), key=lambda pack: pack.name)


def find_pack(name_or_folder: str | Path = DEFAULT_PACK) -> Pack:
    """The pack of this name, or the one in this folder.

    A folder without a pack.json may hold the files of a known pack, such as the official checkpoints of ffhq-1024.

    Raises
    ------
    PackError: there is none, or its manifest is malformed.
    """
    text = str(name_or_folder)
    if PLAIN_NAME.fullmatch(text):
        for root in pack_roots():
            if (root / text / MANIFEST).is_file():
                return read_manifest(root / text / MANIFEST)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _pack_in_folder(folder.absolute())
    names = ", ".join(pack.name for pack in list_packs()) or "none"
    raise PackError(f"There is no model pack '{text}'.", f"Packs here: {names}. Or name a folder with a pack.json.")


def _pack_in_folder(folder: Path) -> Pack:
    if (folder / MANIFEST).is_file():
        return read_manifest(folder / MANIFEST)
    for pack in list_packs():
        names = [file.name for part in pack.parts.values() for file in part.files if file.package is None]
        if any((folder / name).is_file() for name in names):
            return dataclasses.replace(pack, folders=(folder, *pack.folders))
    raise PackError(f"{folder} holds no {MANIFEST} and no file of a known pack.", "`packs list` shows the known packs.")


class Models:
    """The networks of a pack on a device, each loaded when it is first asked for, in evaluation mode and frozen.

    Raises
    ------
    PackError: from every attribute: a file is missing, altered or does not fit.
    CheckpointError: from every attribute: an official checkpoint of another layout.
    """

    def __init__(self, pack: Pack, device: torch.device) -> None:
        self.pack, self.device = pack, device
        self._loaded: dict[str, Any] = {}
        self._lock = threading.RLock()

    def verify(self) -> None:
        """Check all files of the pack now. Raises PackError."""
        verify_pack(self.pack)

    @property
    def generator(self) -> Generator:
        """Latents to pictures."""
        return self._get("generator")

    @property
    def encoder(self) -> Encoder:
        """Crops to w_plus."""
        return self._get("encoder")

    @property
    def parser(self) -> Parser:
        """Pictures to classes; a `Reader` also to places on the head."""
        return self._get("parser")

    @property
    def perceptual(self) -> Perceptual:
        """The perceptual distance of the tuning."""
        return self._get("perceptual")

    @property
    def identity(self) -> Identity:
        """Crops to embeddings of who it is."""
        return self._get("identity")

    @property
    def attributes(self) -> Attributes:
        """Pictures to attributes; not every pack has it."""
        return self._get("attributes")

    def _get(self, name: str) -> Any:
        with self._lock:
            if name not in self._loaded:
                with torch.inference_mode(False):  # whoever asks first may be in it; others need gradients through them
                    self._loaded[name] = _build(self.pack, name, self.device)
            return self._loaded[name]


def load_models(pack: Pack, device: torch.device, parts: Collection[str] = ()) -> Models:
    """The networks of a pack; those in `parts` are loaded at once, the others when they are first used."""
    models = Models(pack, device)
    for name in parts:
        models._get(name)
    return models


def _build(pack: Pack, name: str, device: torch.device) -> Any:
    part = pack.part(name)
    if part.architecture not in _BUILDERS:
        message = f"The {name} of '{pack.name}' has the unknown architecture '{part.architecture}'."
        raise PackError(message, f"This program knows: {', '.join(sorted(_BUILDERS))}.")
    network = _BUILDERS[part.architecture](pack, part, verified_paths(pack, name))
    if not isinstance(network, _INTERFACES[name]):
        message = f"The {name} of '{pack.name}' has the architecture '{part.architecture}', which cannot serve as one."
        raise PackError(message, "Correct pack.json.")
    if isinstance(network, nn.Module):
        network = network.float().to(device=device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.eval().requires_grad_(False)
    return network


def _build_generator(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:
    if part.official:
        network = _official_generator(paths[0])
    else:
        channels = part.arguments.get("channels")
        try:
            plan = None if channels is None else {int(size): int(count) for size, count in channels.items()}
        except (AttributeError, TypeError, ValueError) as error:
            message = f"The channels of the generator of '{pack.name}' are no table of numbers."
            raise PackError(message, "Correct pack.json.") from error
        network = _own_network(pack, part, paths, Generator, {**part.arguments, "channels": plan})
    if network.resolution != pack.resolution:
        message = f"The generator of '{pack.name}' makes {network.resolution} px, its manifest says {pack.resolution}."
        raise PackError(message, "Correct the manifest.")
    return network


def _official_generator(path: Path) -> Generator:
    if path.suffix == ".pkl":
        return checkpoints.generator_from_state(checkpoints.read_nvidia_pickle(path))
    _, decoder, latent_avg = checkpoints.split_e4e(checkpoints.read_torch(path))
    return checkpoints.generator_from_state(decoder, latent_avg)


def _build_compact_encoder(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:
    return folded(_own_network(pack, part, paths, CompactEncoder, part.arguments))


def _build_compact_parser(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:
    return folded(_own_network(pack, part, paths, CompactParser, part.arguments))


def _build_compact_reader(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:
    return folded(_own_network(pack, part, paths, CompactReader, part.arguments))


def _build_attributes(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:
    return folded(_own_network(pack, part, paths, AttributeNet, part.arguments))


def _build_attribute_features(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:
    return FeaturePerceptual(folded(_own_network(pack, part, paths, AttributeNet, part.arguments)))


def _build_e4e(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:  # noqa: ARG001 (one signature for all)
    encoder, _, latent_avg = checkpoints.split_e4e(checkpoints.read_torch(paths[0]))
    return checkpoints.encoder_from_state(encoder, latent_avg)


def _build_bisenet(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:  # noqa: ARG001
    return checkpoints.parser_from_state(checkpoints.read_torch(paths[0]))


def _build_arcface(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:  # noqa: ARG001
    return checkpoints.identity_from_state(checkpoints.read_torch(paths[0]))


def _build_lpips(pack: Pack, part: Part, paths: Sequence[Path]) -> nn.Module:  # noqa: ARG001
    if len(paths) != 2:
        raise PackError(f"The perceptual part of '{pack.name}' needs two files: trunk, heads.", "Correct pack.json.")
    trunk, heads = (checkpoints.read_torch(path) for path in paths)
    return checkpoints.perceptual_from_state(trunk, heads)


def _build_dlib(pack: Pack, part: Part, paths: Sequence[Path]) -> object:
    import dlib  # it takes a while to load, and not every pack needs it

    from stit_core.models.dlib_identity import DlibIdentity

    if len(paths) != 2:
        raise PackError(f"The {part.name} of '{pack.name}' needs two files: predictor, network.", "Correct pack.json.")
    predictor, recogniser = (str(path) for path in paths)
    return DlibIdentity(dlib.shape_predictor(predictor), dlib.face_recognition_model_v1(recogniser))


_BUILDERS: Mapping[str, Callable[[Pack, Part, Sequence[Path]], Any]] = {
    "stylegan2": _build_generator,
    "compact-encoder": _build_compact_encoder,
    "compact-parser": _build_compact_parser,
    "compact-reader": _build_compact_reader,
    "attribute-net": _build_attributes,
    "attribute-features": _build_attribute_features,
    "dlib-resnet": _build_dlib,
    "e4e": _build_e4e,
    "bisenet-19": _build_bisenet,
    "arcface-ir-se50": _build_arcface,
    "lpips-alex": _build_lpips,
}


_INTERFACES: Mapping[str, type] = {  # what the stages ask of each part
    "generator": FaceGenerator,
    "encoder": Encoder,
    "parser": Parser,
    "perceptual": Perceptual,
    "identity": Identity,
    "attributes": Attributes,
}


def _own_network(
    pack: Pack, part: Part, paths: Sequence[Path], kind: Callable[..., Any], arguments: Mapping[str, Any]
) -> Any:
    """A network of ours, filled from its safetensors files, which may share its parameters among them."""
    where = f"the {part.name} of '{pack.name}'"
    try:
        network = kind(**arguments)
    except (TypeError, ValueError) as error:
        raise PackError(
            f"The arguments of {where} do not fit its architecture: {error}.", "Correct pack.json."
        ) from error
    state: dict[str, Tensor] = {}
    for path in paths:
        try:
            state.update(safetensors.torch.load_file(path))
        except (OSError, ValueError, safetensors.SafetensorError) as error:
            raise PackError(f"{path.name} of {where} is no safetensors file: {error}.", "Restore the pack.") from error
    return checkpoints.load_exactly(network, state, f"{where[:1].upper()}{where[1:]}")


def licences(pack: Pack) -> list[str]:
    """One line for each licence of the pack's files, for the user to read before anything is fetched."""
    lines = [f"{pack.name}: {pack.licence}"]
    return lines + [
        f"{part.name} ({part.architecture}): {part.licence}" for part in pack.parts.values() if part.licence
    ]


def fetch_pack(
    name: str | Path, runtime: Runtime, accept_licences: bool = False, limits: DownloadLimits | None = None
) -> Pack:
    """Fetch what is missing of a pack into the user's folder and verify the whole.

    Raises
    ------
    PackError: the licences were not accepted, a file cannot be had or is wrong, or has to be fetched by hand (the rest
        is fetched first).
    Cancelled: the run was stopped.
    """
    pack = find_pack(name)
    missing = [file for part in pack.parts.values() for file in part.files if not _is_present(pack, file)]
    fetchable = [file for file in missing if file.urls]
    if fetchable and not accept_licences:
        terms = "; ".join(licences(pack))
        raise PackError(f"The licences of '{pack.name}' have not been accepted: {terms}.", "Add --accept-licences.")
    folder = user_folder(pack.name)
    for file in fetchable:
        with disk_errors(file.name):
            folder.mkdir(parents=True, exist_ok=True)
            _fetch_file(file, folder, runtime, limits)
    verify_pack(pack)
    return pack


def _is_present(pack: Pack, file: PackFile) -> bool:
    try:
        locate(pack, file)
    except PackError:
        return False
    return True


def _fetch_file(file: PackFile, folder: Path, runtime: Runtime, limits: DownloadLimits | None) -> None:
    for position, url in enumerate(file.urls, start=1):
        try:
            download(url, folder / file.name, file.size, file.sha256, runtime, limits)
            return
        except PackError:
            if position == len(file.urls):
                raise

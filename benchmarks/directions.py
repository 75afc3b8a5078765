"""Measure what every direction of a pack does to held-out renders, write the page about it and draw the sheet.

    python -m benchmarks.directions --data RENDERS/held_out [--pack heads-256] [--own]
                                    [--identities 32] [--factors -2 -1 0 1 2] [--out docs/directions.md]
                                    [--sheet docs/directions.jpg] [--seeds 3 8] [--sheet-factors -4 -2 0 2 4]

The page holds, for each direction: rank correlation of factor and reading by the pack's attribute network and by an
independent instrument, identity, and what else it moves, as it is and orthogonalised; and how well each instrument
reads real renders. The sheet has one row a direction; for each seed the same random head at every factor.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.direction_page import Leaking, Measured, Result, Truth, page
from benchmarks.direction_sheet import draw_directions
from benchmarks.efficacy import correlation, efficacy, identity_kept, slopes
from benchmarks.landmark_figures import DEFINITIONS
from benchmarks.leakage import leaks, orthogonalised
from benchmarks.moved_heads import Instruments, Moved, Reading, choose_heads, encode_heads, move_heads, read_renders
from benchmarks.pack import attribute_names
from recipes.training.data import Shards
from stit_core.directions.library import SHIPPED, direction_roots, list_directions, load_direction
from stit_core.memory import keep_freed_memory
from stit_core.packs.loading import find_pack, load_models
from stit_core.packs.manifest import Pack
from stit_core.review.attributes import OTHERS, attribute_weights, combine
from stit_core.runtime import pick_device

PARTS = ("generator", "encoder", "parser", "identity", "attributes")


class Attributes:
    """The attributes that are told of: those of the directions, then OTHERS; read off the network's numbers.

    Attributes
    ----------
    columns: their names (C,).
    spread: (C,) of the readings over held-out renders.
    """

    def __init__(self, directions: Sequence[str], names: Sequence[str], renders: Reading) -> None:
        self.names = tuple(names)
        own = [name for name in directions if attribute_weights(name, names) is not None]
        self.columns = (*own, *(name for name in OTHERS if name in names and name not in own))
        self.spread = np.maximum(self.of(renders.attributes).std(axis=0), 1e-6)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Values (..., C) of the columns, from all attributes (..., A)."""
        found = [combine(attribute_weights(name, self.names) or {}, self.names, values) for name in self.columns]
        return np.stack(found, axis=-1)


def known_truths(attributes: Attributes, renders: Reading, truth: np.ndarray) -> dict[str, Truth]:
    """How well the instruments read renders whose attributes (N, A) are known."""
    true, read = attributes.of(truth), attributes.of(renders.attributes)
    return {
        name: Truth(
            correlation(true[:, k], read[:, k]),
            correlation(true[:, k], renders.figures[name]) if name in renders.figures else None,
        )
        for k, name in enumerate(attributes.columns)
    }


def judge(
    name: str, moved: Moved, attributes: Attributes, renders: Reading, factors: np.ndarray, stranger: float
) -> Measured:
    """A direction's efficacy by both instruments, and the identity that it keeps beside the cosine of a `stranger`."""
    network = independent = None
    if name in attributes.columns:
        k = attributes.columns.index(name)
        network = efficacy(factors, attributes.of(moved.attributes)[..., k], float(attributes.spread[k]))
    if moved.figure is not None:
        independent = efficacy(factors, moved.figure, float(np.nanstd(renders.figures[name])))
    return Measured(network, independent, identity_kept(moved.cosines.ravel(), stranger))


def mean_change(moved: Moved, attributes: Attributes, factors: np.ndarray) -> np.ndarray:
    """Mean slope (C,) of every attribute over the heads, in units of its spread."""
    found: np.ndarray = slopes(factors, attributes.of(moved.attributes)).mean(axis=0) / attributes.spread
    return found


def strangers(still: Reading) -> tuple[float, float]:
    """Median and 95th percentile of the identity cosines of pairs of different heads."""
    cosines = still.embeddings @ still.embeddings.T
    pairs = cosines[np.triu_indices(len(cosines), 1)]
    return float(np.median(pairs)), float(np.quantile(pairs, 0.95))


def measure(
    instruments: Instruments, held_out: Shards, vectors: Mapping[str, np.ndarray], arguments: argparse.Namespace
) -> Result:
    """Read renders, choose heads among them, and move those along every direction (L, 512)."""
    pack = instruments.models.pack
    names, count = attribute_names(pack, held_out), min(arguments.renders, len(held_out))
    truth, factors = held_out.attributes[:count], np.array(arguments.factors)
    with tqdm(total=count, desc="renders", unit="picture") as bar:
        renders = read_renders(instruments, held_out, count, bar.update)
    attributes = Attributes(list(vectors), names, renders)
    heads = choose_heads(truth, names, ~np.isnan(renders.figures["yaw"]), arguments.identities)
    w_plus = encode_heads(instruments.models, held_out, heads)
    still = instruments.read_latents(w_plus, list(DEFINITIONS), identity=True)
    different, measured, leaking = strangers(still), {}, {}
    for name, vector in tqdm(vectors.items(), desc="directions", unit="direction"):
        moved = move_heads(instruments, w_plus, vector, arguments.factors, still, name)
        measured[name] = judge(name, moved, attributes, renders, factors, different[1])
        if name in attributes.columns:
            freed = orthogonalised(name, dict(vectors))
            again = move_heads(instruments, w_plus, freed, arguments.factors, still)
            before, after = (
                leaks(name, attributes.columns, mean_change(part, attributes, factors)) for part in (moved, again)
            )
            leaking[name] = Leaking(before, after, float(np.linalg.norm(freed) / np.linalg.norm(vector)))
    return Result(
        command=f"python -m benchmarks.directions --data RENDERS/held_out --pack {pack.name}",
        pack=pack.name,
        renders=count,
        heads=len(heads),
        factors=tuple(arguments.factors),
        columns=attributes.columns,
        truths=known_truths(attributes, renders, truth),
        measured=measured,
        leaking=leaking,
        strangers=different,
        eye_line=correlation(truth[:, list(names).index("roll")], renders.figures["eye_line"]),
        cards=tuple(load_direction(pack, name, roots_of(arguments.own)).card for name in vectors),
    )


def parse(command: Sequence[str] | None = None) -> argparse.Namespace:
    """The command's arguments, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of held-out renders")
    parser.add_argument("--pack", default="heads-256")
    parser.add_argument("--own", action="store_true", help="measure the directions in your own folder as well")
    parser.add_argument("--identities", type=int, default=32, help="heads that are moved")
    parser.add_argument("--renders", type=int, default=250, help="renders to test the instruments and choose heads on")
    parser.add_argument("--factors", type=float, nargs="+", default=[-2.0, -1.0, 0.0, 1.0, 2.0])
    parser.add_argument("--out", type=Path, default=Path("docs/directions.md"))
    parser.add_argument("--sheet", type=Path, default=Path("docs/directions.jpg"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 8], help="random heads of the sheet")
    parser.add_argument("--sheet-factors", type=float, nargs="+", default=[-4.0, -2.0, 0.0, 2.0, 4.0])
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(command)
    if arguments.factors != sorted(set(arguments.factors)) or 0 not in arguments.factors or len(arguments.factors) < 4:
        parser.error("--factors must be at least four different numbers in ascending order, 0 among them")
    if min(arguments.identities, arguments.renders) < 2:
        parser.error("--identities and --renders must be at least 2")
    return arguments


def roots_of(own: bool) -> tuple[Path, ...]:
    """Where directions are looked for, with `own` in the user's own folder as well."""
    return direction_roots() if own else (SHIPPED,)


def load_vectors(pack: Pack, own: bool = False) -> dict[str, np.ndarray]:
    """Every direction (L, 512) that came with the program for a pack, by name; with `own` the user's own as well."""
    roots = roots_of(own)
    return {card.name: load_direction(pack, card.name, roots).vector for card in list_directions(pack, roots)}


def main() -> None:
    arguments = parse()
    keep_freed_memory()
    pack = find_pack(arguments.pack)
    vectors = load_vectors(pack, arguments.own)
    if not vectors:
        raise SystemExit(f"The pack '{pack.name}' has no directions.")
    torch.manual_seed(0)
    models = load_models(pack, pick_device(arguments.device), PARTS)
    result = measure(Instruments(models), Shards(arguments.data), vectors, arguments)
    for path in (arguments.out, arguments.sheet):
        path.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(page(result, arguments.sheet.name))
    draw_directions(models.generator, vectors, arguments.seeds, arguments.sheet_factors).save(
        arguments.sheet, quality=88
    )
    print(f"Wrote {arguments.out} and {arguments.sheet}.", file=sys.stderr)


if __name__ == "__main__":
    main()

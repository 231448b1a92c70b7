"""Which weights of an image tower may learn, and how the learned ones become an ordinary tower again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.errors import UsageError

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module

TRANSFORMERS = ("transformer.resblocks", "trunk.blocks")  # of open_clip's own towers, of those from timm
# What stands between the last block and the vector.
FINAL = ("ln_post", "proj", "attn_pool", "attn_pool_contrastive", "trunk.norm", "trunk.fc_norm", "trunk.attn_pool",
         "head")  # fmt: skip


@dataclass(frozen=True)
class Tuning:
    """One way to tune a tower. `free(tower, blocks, generator)` takes a wholly frozen tower."""

    learning_rate: float
    """The highest rate, used unless another is asked for."""
    free: Callable[["Module", int, "Generator"], None]
    merge: Callable[["Module"], None]


def _free_last_blocks(tower: "Module", blocks: int, _generator: "Generator") -> None:
    for part in (_residual_blocks(tower) or list(_parts(_trunk(tower))))[-blocks:]:
        part.requires_grad_(True)
    for name, parameter in tower.named_parameters():
        if name.startswith(tuple(f"{final}." for final in FINAL)) or name in FINAL:
            parameter.requires_grad_(True)


def _adapt_last_blocks(tower: "Module", blocks: int, generator: "Generator") -> None:
    from annotator.backbones.low_rank import adapt

    chosen = _residual_blocks(tower)[-blocks:]
    if not chosen:
        raise UsageError(
            f"lora adapts the matrices of transformer blocks, and the image tower {type(_trunk(tower)).__name__} has "
            "none; tune it with last_blocks"
        )
    for block in chosen:
        adapt(block, generator)


def _merge_adapters(tower: "Module") -> None:
    from annotator.backbones.low_rank import merge

    merge(tower)


def _nothing_to_merge(_tower: "Module") -> None:
    pass


def _residual_blocks(tower: "Module") -> list["Module"]:
    """A transformer's blocks, the first one first; none for other towers."""
    for path in TRANSFORMERS:
        found: Any = tower
        for name in path.split("."):
            found = getattr(found, name, ())
        blocks = list(found)
        if blocks and all(hasattr(block, "attn") and hasattr(block, "mlp") for block in blocks):
            return blocks
    return []


def _parts(module: "Module") -> Iterator["Module"]:
    """The children that have parameters, in order; those of a sequence in its place."""
    from torch.nn import ModuleList, Sequential

    for child in module.children():
        if isinstance(child, Sequential | ModuleList):
            yield from _parts(child)
        elif next(child.parameters(), None) is not None:
            yield child


def _trunk(tower: "Module") -> Any:
    return getattr(tower, "trunk", tower)


LAST_BLOCKS = Tuning(1e-5, _free_last_blocks, _nothing_to_merge)
"""The last blocks, the final norm and the projection learn as they are."""

LORA = Tuning(2e-4, _adapt_last_blocks, _merge_adapters)
"""Low-rank adapters on the matrices of a transformer's last blocks (Hu et al. 2021, arXiv 2106.09685), merged at the
end."""

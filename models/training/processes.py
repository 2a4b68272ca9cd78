"""Several processes on one training, as torchrun starts them: each with data of its own and the same weights."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, distributed

from eventdet.errors import OptionError

__all__ = ["Processes", "joined"]


class Processes(NamedTuple):
    """One process among all."""

    rank: int = 0
    """Its number."""

    world_size: int = 1
    """How many there are."""

    device: str = "cpu"
    """Torch device of this one."""

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def any_of(self, *flags: bool) -> list[bool]:
        """Return for each flag whether it is set in any process, the same in all of them."""
        if self.world_size == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32, device=self.device)
        distributed.all_reduce(raised, distributed.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def mean_of(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes."""
        if self.world_size == 1:
            return values
        summed = values.detach().clone()
        distributed.all_reduce(summed)
        return summed / self.world_size

    def gathered(self, tensors: list[Tensor]) -> list[list[Tensor]]:
        """Return the tensors of every process, by rank; they have the same shapes everywhere."""
        if self.world_size == 1:
            return [tensors]
        parts: list[list[Tensor]] = [[] for _ in range(self.world_size)]
        for tensor in tensors:
            received = [torch.empty_like(tensor) for _ in range(self.world_size)]
            distributed.all_gather(received, tensor.contiguous())
            for own, part in zip(parts, received, strict=True):
                own.append(part)
        return parts

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world_size > 1:
            distributed.barrier()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did; on CUDA each takes the device of its local rank.

    Raises
    ------
    OptionError
        When the environment of torchrun is incomplete, or `device` is not there.
    """
    device = _checked(device)
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Processes(device=device)
        return
    missing = [name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise OptionError(
            f"WORLD_SIZE is {world_size} and {missing[0]} is not set", hint="start with torchrun --nproc-per-node N"
        )
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def _checked(device: str) -> str:
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise OptionError(f"device must be cpu, cuda or cuda:N, got {device!r}") from error
    if kind not in ("cpu", "cuda"):
        raise OptionError(f"device must be cpu, cuda or cuda:N, got {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise OptionError("device cuda needs a CUDA device, and torch finds none", hint="use --device cpu")
    return device

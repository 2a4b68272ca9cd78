"""Two processes of a distributed training: data of their own, and as many steps each."""

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eventdet.preprocessing.dataset import ClipDataset, ClipOptions, ClipSampler, StreamSampler, event_sources

from .recordings import REPRESENTATION, WINDOW_US, write_recordings

WORLD_SIZE = 2


def _train(rank: int, folder: Path, results: Any) -> None:
    """Train a line for an epoch of each sampler; tell the clips read and the weights that came of it."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD_SIZE
    )
    torch.manual_seed(0)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    dataset = ClipDataset(
        event_sources(folder, REPRESENTATION, window_us=WINDOW_US), ClipOptions(num_windows=2, align="grid")
    )
    read = []
    for sampler in (
        ClipSampler(dataset, 2, rank=rank, world_size=WORLD_SIZE),
        StreamSampler(dataset, 2, rank=rank, world_size=WORLD_SIZE),
    ):
        for refs in sampler:
            batch = dataset.batch(refs)
            assert isinstance(batch.frames, torch.Tensor)
            read += [(type(sampler).__name__, ref.source, ref.t0_us) for ref in refs if ref.source >= 0]
            model(batch.frames.float().mean().reshape(1, 1)).sum().backward()
            optimizer.step()
    results.put((rank, read, [weights.tolist() for weights in model.parameters()]))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_distributed_processes_read_disjoint_data_and_end_with_equal_weights(tmp_path: Path) -> None:
    write_recordings(tmp_path, [90_000, 30_000, 50_000, 20_000])
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_train, args=(rank, tmp_path, results)) for rank in range(WORLD_SIZE)]
    for process in processes:
        process.start()
    (_, first, weights), (_, second, same_weights) = sorted(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert not set(first) & set(second)
    # 9, 3, 5 and 2 windows: 5, 2, 3 and 1 clips, by either sampler.
    assert len(set(first) | set(second)) == 2 * 11
    np.testing.assert_array_equal(weights[0], same_weights[0])

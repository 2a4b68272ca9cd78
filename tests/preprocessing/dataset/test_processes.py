"""Two processes of a distributed training: data of their own, and as many steps each."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .recordings import write_recordings

WORLD_SIZE = 2

TRAIN = """
import json, sys
import torch
from eventdet.preprocessing import Representation
from eventdet.preprocessing.dataset import ClipDataset, ClipOptions, ClipSampler, StreamSampler, event_sources

folder, rank, world_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
meeting = f"file://{folder}/meeting"
torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world_size)
torch.manual_seed(0)
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
sources = event_sources(folder, Representation("histogram", bins=2), window_us=10_000)
dataset = ClipDataset(sources, ClipOptions(num_windows=2, align="grid"))
read = []
for kind in (ClipSampler, StreamSampler):
    for refs in kind(dataset, 2, rank=rank, world_size=world_size):
        frames = dataset.batch(refs).frames
        read += [(kind.__name__, ref.source, ref.t0_us) for ref in refs if ref.source >= 0]
        model(frames.float().mean().reshape(1, 1)).sum().backward()
        optimizer.step()
print(json.dumps([read, [weights.tolist() for weights in model.parameters()]]))
torch.distributed.destroy_process_group()
"""
"""An epoch of each sampler; tells the clips that were read and the weights that came of them."""


@pytest.mark.slow
def test_distributed_processes_read_disjoint_data_and_end_with_equal_weights(tmp_path: Path) -> None:
    write_recordings(tmp_path, [90_000, 30_000, 50_000, 20_000])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TRAIN, str(tmp_path), str(rank), str(WORLD_SIZE)], stdout=subprocess.PIPE, text=True
        )
        for rank in range(WORLD_SIZE)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    (first, weights), (second, same_weights) = map(json.loads, outputs)
    clips, others = (set(map(tuple, read)) for read in (first, second))
    assert not clips & others
    # 9, 3, 5 and 2 windows: 5, 2, 3 and 1 clips, by either sampler.
    assert len(clips | others) == 2 * 11
    assert weights == same_weights

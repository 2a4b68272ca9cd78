"""Released checkpoints: what they hold comes over bit for bit, and what they could do does not happen."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from eventdet.cli.main import run
from eventdet.errors import FormatError, InputError
from eventdet.models import Detector, build_detector, load_detector
from eventdet.models.exchange.reference_import import detector_of_reference
from eventdet.models.exchange.reference_pickle import Inert, read_reference_checkpoint

from .networks import spread_statistics
from .reference_checkpoints import reference_network, reference_tensors, released_code, write_checkpoint

__all__ = ["released_code"]

Classes = dict[str, type[nn.Module]]

AS_RELEASED: dict[str, Any] = {"channels": 3, "shortcut_lif": False, "pool_first": False}
WITH_SHORTCUT_NEURONS: dict[str, Any] = AS_RELEASED | {"shortcut_lif": True}
RELEASES = [
    ("ems-res10", AS_RELEASED, "ConcatBlock_ms"),
    ("ems-res18", AS_RELEASED | {"classes": 80, "channels": 1}, "ConcatBlock_ms"),
    ("ms-res18", AS_RELEASED, "BasicBlock_ms"),
    ("wide-res18", WITH_SHORTCUT_NEURONS, "BasicBlock_2"),
]


def fresh(name: str, options: dict[str, Any]) -> Detector:
    torch.manual_seed(0)
    anchors = (((12, 10), (20, 30), (40, 40)), ((80, 80), (128, 160), (208, 272)))
    return spread_statistics(build_detector(name, anchors=anchors, **options)).eval()


def released(path: Path, classes: Classes, **entries: Any) -> Path:
    detector = fresh("ems-res10", AS_RELEASED)
    return write_checkpoint(
        path, reference_network(detector, reference_tensors(detector), classes, narrow="ConcatBlock_ms"), **entries
    )


@pytest.mark.parametrize(("name", "options", "block"), RELEASES, ids=[release[0] for release in RELEASES])
def test_a_released_checkpoint_comes_over_bit_for_bit(
    name: str, options: dict[str, Any], block: str, released_code: Classes, tmp_path: Path
) -> None:
    detector = fresh(name, options)
    network = reference_network(detector, reference_tensors(detector), released_code, narrow=block)
    path = write_checkpoint(tmp_path / "best.pt", network)
    released_code.clear()
    imported = detector_of_reference(read_reference_checkpoint(path))
    assert imported.config == detector.config
    theirs = imported.state_dict()
    for key, value in detector.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(theirs[key], expected), key
    assert torch.equal(imported.detect.anchors, detector.detect.anchors)


def test_an_imported_network_computes_what_it_did(released_code: Classes, tmp_path: Path) -> None:
    path = released(tmp_path / "best.pt", released_code)
    assert run(["import-weights", str(path), "-o", str(tmp_path / "ours.safetensors"), "-q"]) == 0
    original = fresh("ems-res10", AS_RELEASED)
    original.load_state_dict(
        {name: v.half().float() if v.is_floating_point() else v for name, v in original.state_dict().items()}
    )
    imported = load_detector(tmp_path / "ours")
    x = torch.rand(3, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for one, other in zip(imported(x).logits, original(x).logits, strict=True):
            assert torch.equal(one, other)


def test_single_precision_of_a_file_is_kept(
    released_code: Classes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = fresh("ems-res10", AS_RELEASED)
    # A variance as of a channel that hardly ever moves: half precision would make it zero.
    original.get_buffer("backbone.stem.norm.running_var")[0] = 1e-9
    tensors = reference_tensors(original, torch.float32)
    path = write_checkpoint(
        tmp_path / "last.pt", reference_network(original, tensors, released_code, narrow="ConcatBlock_ms")
    )
    assert run(["import-weights", str(path), "-o", str(tmp_path / "ours")]) == 0
    assert "single precision, as in the file" in capsys.readouterr().out
    imported = load_detector(tmp_path / "ours").state_dict()
    for name, value in original.state_dict().items():
        assert torch.equal(imported[name], value), name


def test_averaged_weights_and_wrappers_are_looked_through(released_code: Classes, tmp_path: Path) -> None:
    detector = fresh("ems-res10", AS_RELEASED)
    tensors = reference_tensors(detector)
    averaged = {name: value * 2 if name == "model.0.conv.weight" else value for name, value in tensors.items()}
    networks = [
        reference_network(detector, each, released_code, narrow="ConcatBlock_ms") for each in (tensors, averaged)
    ]
    path = write_checkpoint(tmp_path / "last.pt", nn.DataParallel(networks[0]), ema=networks[1], epoch=17)
    checkpoint = read_reference_checkpoint(path)
    assert (checkpoint.source, checkpoint.epoch) == ("ema", 17)
    assert torch.equal(checkpoint.tensors["model.0.conv.weight"], averaged["model.0.conv.weight"])
    raw = read_reference_checkpoint(write_checkpoint(path, nn.DataParallel(networks[0])))
    assert (raw.source, raw.kinds[11]) == ("model", "Detect")
    assert torch.equal(raw.tensors["model.0.conv.weight"], tensors["model.0.conv.weight"])


class Touch:
    """What a malicious checkpoint does: a call that unpickling makes."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, "posix.system"), (eval, "builtins.eval"), (Path.touch, "builtins.getattr"), (os.mkdir, "posix.mkdir")],
    ids=["system", "eval", "method", "mkdir"],
)
@pytest.mark.parametrize("entry", ["model", "date"])
def test_a_checkpoint_that_would_run_something_is_refused_by_name(
    function: Any, named: str, entry: str, released_code: Classes, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    argument = f"touch {marker}" if function is not eval else f"open({str(marker)!r}, 'w')"
    evil = Touch(function, str(marker) if function is os.mkdir else argument)
    path = released(tmp_path / "evil.pt", released_code, **{entry: evil})
    with pytest.raises(FormatError, match=rf"refused, names {named}"):
        read_reference_checkpoint(path)
    assert not marker.exists()


def test_an_allowed_name_is_inert(released_code: Classes, tmp_path: Path) -> None:
    # numpy.dtype is expected in such files; called with what would fail or act, it only keeps its arguments.
    import numpy as np

    path = released(tmp_path / "odd.pt", released_code, date=Touch(np.dtype, "no such type"))
    assert read_reference_checkpoint(path).epoch == -1


def test_other_pickles_and_broken_files_are_refused_in_one_line(released_code: Classes, tmp_path: Path) -> None:
    whole = released(tmp_path / "best.pt", released_code)
    content = whole.read_bytes()
    files = {
        "empty.pt": b"",
        "text.pt": b"not a checkpoint",
        "cut.pt": content[: len(content) // 2],
        "cut_end.pt": content[:-200],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FormatError, match=name):
            read_reference_checkpoint(tmp_path / name)
    torch.save({"model": nn.Linear(2, 2).state_dict()}, tmp_path / "dict.pt")
    with pytest.raises(FormatError, match="must hold a network under 'model' or 'ema'"):
        read_reference_checkpoint(tmp_path / "dict.pt")
    torch.save({"a": 1}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(FormatError, match=r"not a checkpoint of PyTorch 1\.6"):
        read_reference_checkpoint(tmp_path / "old.pt")
    torch.save({"model": nn.Linear(2, 2)}, tmp_path / "new.pt", pickle_protocol=4)
    with pytest.raises(FormatError, match="cannot be listed without running it"):
        read_reference_checkpoint(tmp_path / "new.pt")
    torch.save({"model": nn.Linear(2, 2)}, tmp_path / "linear.pt")
    with pytest.raises(FormatError, match="must be a list of layers, is a Linear"):
        read_reference_checkpoint(tmp_path / "linear.pt")
    with pytest.raises(InputError, match="no such file"):
        read_reference_checkpoint(tmp_path / "gone.pt")


def test_modules_without_end_are_refused() -> None:
    module = Inert()
    module.state = {"_modules": {"again": module}}
    with pytest.raises(FormatError, match="at most 32 deep"):
        dict(module.tensors())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("model.5.shortcut.1.weight"), "model.5.shortcut.1.weight of shape .* is missing"),
        (lambda tensors: tensors.update({"model.6.extra": torch.zeros(1)}), "model.6.extra has no place"),
        (
            lambda tensors: tensors.update({"model.1.residual_function.1.weight": torch.zeros(32, 33, 3, 3)}),
            r"model.1.residual_function.1.weight must have the shape \(32, 32, 3, 3\), has \(32, 33, 3, 3\)",
        ),
        (lambda tensors: tensors.pop("model.0.conv.weight"), "must begin with a convolution"),
    ],
    ids=["missing", "extra", "shape", "stem"],
)
def test_a_network_of_another_shape_is_refused_by_its_first_difference(
    change: Any, message: str, released_code: Classes, tmp_path: Path
) -> None:
    detector = fresh("ems-res10", AS_RELEASED)
    tensors = reference_tensors(detector)
    change(tensors)
    network = reference_network(detector, tensors, released_code, narrow="ConcatBlock_ms")
    checkpoint = read_reference_checkpoint(write_checkpoint(tmp_path / "best.pt", network))
    with pytest.raises(FormatError, match=message):
        detector_of_reference(checkpoint)


def test_strides_in_another_order_are_refused(released_code: Classes, tmp_path: Path) -> None:
    checkpoint = read_reference_checkpoint(released(tmp_path / "best.pt", released_code))
    with pytest.raises(FormatError, match=r"strides must be \(16, 32\), are \(32, 16\)"):
        detector_of_reference(checkpoint._replace(strides=(32, 16)))


def test_import_weights_tells_what_came_over(
    released_code: Classes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = released(tmp_path / "best.pt", released_code)
    assert run(["import-weights", str(path), "-o", str(tmp_path / "ours"), "--steps", "4"]) == 0
    printed = capsys.readouterr().out
    assert "ems-res10, 2 classes, 3 input channels, 6,207,050 parameters; from 'model', 155 tensors" in printed
    described = json.loads((tmp_path / "ours.json").read_text())
    assert described["config"]["readout_steps"] == 4
    assert described["metadata"] == {"imported_from": "best.pt", "network_in_file": "model", "epoch": -1}
    assert run(["import-weights", str(tmp_path / "gone.pt"), "-o", str(tmp_path / "x")]) == 3
    assert "no such file" in capsys.readouterr().err

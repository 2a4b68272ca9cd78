import pickle

import pytest

from eventdet import errors
from eventdet.errors import (
    EventdetError,
    FormatError,
    GeometryError,
    InputError,
    MissingExtraError,
    OptionError,
    OutputError,
)


@pytest.mark.parametrize(
    ("error", "builtin", "exit_code"),
    [
        (EventdetError("m"), Exception, 1),
        (OptionError("m"), ValueError, 2),
        (InputError("m"), OSError, 3),
        (FormatError("m"), ValueError, 3),
        (GeometryError("m"), OSError, 3),
        (OutputError("m"), OSError, 1),
        (errors.BusyError("m"), OutputError, 1),
        (MissingExtraError("writing MP4", extra="video"), ImportError, 4),
        (errors.PartialError("m"), EventdetError, 5),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_each_error_is_the_builtin_its_caller_would_catch(
    error: EventdetError, builtin: type[Exception], exit_code: int
) -> None:
    assert isinstance(error, builtin)
    assert isinstance(error, EventdetError)
    assert error.exit_code == exit_code


@pytest.mark.parametrize(
    "error", [InputError("m", hint="h"), FormatError("m"), MissingExtraError("writing MP4", extra="video")], ids=repr
)
def test_errors_pass_from_process_to_process(error: EventdetError) -> None:
    passed = pickle.loads(pickle.dumps(error))
    assert (type(passed), str(passed), passed.hint) == (type(error), str(error), error.hint)


def test_message_of_an_input_error_is_the_message_alone() -> None:
    error = InputError("a.dat: empty file", hint="record again")
    assert str(error) == "a.dat: empty file"
    assert error.hint == "record again"


def test_missing_extra_names_the_pip_command() -> None:
    error = MissingExtraError("writing MP4", extra="video")
    assert 'pip install -c constraints.txt ".[video]"' in error.hint
    assert "writing MP4" in str(error)


def test_check_option_of_an_unknown_choice_lists_the_allowed_ones() -> None:
    with pytest.raises(OptionError, match="fit must be one of scale, crop, got 'stretch'"):
        errors.check_option("fit", "stretch", ["scale", "crop"])

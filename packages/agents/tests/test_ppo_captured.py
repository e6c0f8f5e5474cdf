"""Programs that are recorded once and replayed: on a CPU with a stand-in for CUDA graphs."""

import copy

import pytest
import torch

from coterie_agents._ppo import captured as module
from coterie_agents._ppo.captured import Captured, captured, recorder


class Recording:
    """Does what a CUDA graph does: reads and writes where it did when it was recorded."""

    def __init__(self, call, inputs):
        self.call, self.inputs = call, inputs
        self.results = [tensor.clone() for tensor in call(*inputs)]
        self.replays = 0

    def replay(self):
        self.replays += 1
        for place, found in zip(self.results, self.call(*self.inputs), strict=True):
            place.copy_(found)


def record(call, inputs):
    made = Recording(call, inputs)
    return made.replay, made.results


def program(weights, counts, flags):
    return [weights * 2, counts + 1, ~flags, weights]


def inputs(value):
    return torch.full((2, 3), float(value)), torch.tensor([value]), torch.tensor([value > 1])


def test_a_replay_finds_what_the_program_finds():
    made = Captured(program, inputs(0), record)
    for value in range(4):
        for found, wanted in zip(made(*inputs(value)), program(*inputs(value)), strict=True):
            assert found.dtype == wanted.dtype
            assert found.equal(wanted)


def test_results_that_were_kept_are_never_overwritten():
    made = Captured(program, inputs(0), record)
    kept = [made(*inputs(value)) for value in range(3)]
    for value, found in enumerate(kept):
        assert found[0].equal(torch.full((2, 3), 2.0 * value))


def test_what_it_found_can_be_given_back():
    """As the state of an environment is: results of one call are inputs of the next."""
    made = Captured(lambda state: [state + 1], [torch.zeros(3)], record)
    state = [torch.zeros(3)]
    for _ in range(5):
        state = made(*state)
    assert state[0].tolist() == [5.0, 5.0, 5.0]


def test_tensors_lie_as_they_did():
    """A compiled program relies on it."""
    strides = []

    def look(tensor):
        strides.append(tensor.stride())
        return [tensor + 1]

    parts = torch.zeros(4, 10)[:, :3], torch.zeros(3, 4).T
    for part in parts:
        made = Captured(look, [part], record)
        assert made(part)[0].equal(part + 1)
    assert set(strides) == {part.stride() for part in parts}


def test_inputs_stay_as_they_are():
    given = inputs(1)
    before = copy.deepcopy(given)
    Captured(program, given, record)(*inputs(2))
    assert all(left.equal(right) for left, right in zip(given, before, strict=True))


def test_only_what_is_on_one_device_is_recorded():
    assert recorder(inputs(0)) is None
    assert captured(program, inputs(0)) is program
    elsewhere = [torch.zeros(1, device="meta")]
    assert recorder(elsewhere) is None


def test_what_can_not_be_recorded_runs_without(monkeypatch, caplog):
    def refuse(call, tensors):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(module, "recorder", lambda tensors: refuse)
    with caplog.at_level("WARNING", "coterie"):
        assert captured(program, inputs(0)) is program
    assert "could not be recorded as a CUDA graph" in caplog.text
    assert "operation not permitted" in caplog.text


@pytest.mark.gpu
def test_a_graph_on_a_device():
    on_device = [[tensor.cuda() for tensor in inputs(value)] for value in range(4)]
    made = captured(program, on_device[0])
    assert isinstance(made, Captured)
    for given in on_device:
        for found, wanted in zip(made(*given), program(*given), strict=True):
            assert found.equal(wanted)


@pytest.mark.gpu
def test_what_waits_for_the_device_is_not_recorded():
    def waits(tensor):
        return [tensor + float(tensor.sum())]

    given = torch.ones(3, device="cuda")
    assert captured(waits, [given]) is waits
    assert waits(given)[0].tolist() == [4.0, 4.0, 4.0]  # the device is as usable as before

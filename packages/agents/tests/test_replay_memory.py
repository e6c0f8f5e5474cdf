"""Replay memory: what is kept, what is sampled, returns over several steps, state."""

import pickle

import pytest
import torch

from coterie import CheckpointMismatch
from coterie_agents import ReplayMemory, n_step_return

FIELDS = {
    "observations.0": ((2,), torch.uint8),
    "next_observations.0": ((2,), torch.uint8),
    "number": ((), torch.int64),
    "rewards": ((), torch.float32),
    "terminated": ((), torch.bool),
    "truncated": ((), torch.bool),
}


def write(memory, timestep, *, valid=None, terminated=None, truncated=None):
    """Write a row whose numbers tell the timestep and the column: ``100 * column + timestep``."""
    count = memory.population * memory.num_envs
    number = torch.arange(count) * 100 + timestep
    none = torch.zeros(count, dtype=torch.bool)
    small = torch.full((count, 2), timestep, dtype=torch.uint8)
    samples = [
        small,
        small + 1,
        number,
        timestep * torch.ones(count),
        none if terminated is None else terminated,
        none if truncated is None else truncated,
    ]
    memory.write(samples, valid)


def numbers(memory, member=0, draws=4000, discount=None, seed=0):
    """Numbers that are sampled for a member, with how often."""
    generators = [torch.Generator().manual_seed(seed + p) for p in range(memory.population)]
    found = memory.sample(draws, generators, discount)["number"][member]
    values, counts = found.unique(return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_the_latest_timesteps_are_kept_and_uniformly_sampled():
    memory = ReplayMemory(FIELDS, 5, 2, 3)
    for timestep in range(13):
        write(memory, timestep)
    for member in range(2):
        found = numbers(memory, member, draws=15_000)
        columns = range(3 * member, 3 * member + 3)
        assert set(found) == {100 * c + t for c in columns for t in range(8, 13)}
        # 15 samples, 1000 each expected, standard deviation 30.6: chi-square of 14 degrees.
        square = sum((count - 1000) ** 2 / 1000 for count in found.values())
        assert square < 36.1  # 0.1 %


@pytest.mark.parametrize("written", [1, 3, 5])
def test_only_what_was_written_is_sampled(written):
    memory = ReplayMemory(FIELDS, 5, 1, 2)
    for timestep in range(written):
        write(memory, timestep)
    assert set(numbers(memory)) == {100 * c + t for c in range(2) for t in range(written)}


def test_types_are_kept_and_one_sample_is_one_moment():
    memory = ReplayMemory(FIELDS, 7, 2, 3)
    for timestep in range(20):
        write(memory, timestep)
    batch = memory.sample(50, [torch.Generator().manual_seed(p) for p in range(2)])
    assert batch["observations.0"].dtype == torch.uint8
    assert batch["observations.0"].shape == (2, 50, 2)
    assert batch["rewards"].shape == (2, 50)
    timestep = batch["number"] % 100
    assert torch.equal(batch["observations.0"][..., 0].long(), timestep)
    assert torch.equal(batch["next_observations.0"][..., 1].long(), timestep + 1)
    assert torch.equal(batch["rewards"].long(), timestep)
    assert torch.equal(batch["steps"], torch.ones(2, 50, dtype=torch.int64))
    assert memory.sample_bytes == 2 + 2 + 8 + 4 + 1 + 1


def test_reset_steps_are_never_sampled_and_take_no_room():
    memory = ReplayMemory(FIELDS, 4, 1, 3)
    kept = {column: [] for column in range(3)}
    for timestep in range(23):
        valid = (torch.arange(3) + timestep) % torch.tensor([3, 4, 50]) != 0
        write(memory, timestep, valid=valid)
        for column in range(3):
            if valid[column]:
                kept[column].append(100 * column + timestep)
        expected = {n for column in range(3) for n in kept[column][-4:]}
        if timestep >= 2:
            assert set(numbers(memory, draws=600)) == expected
    square = sum((n - 1000) ** 2 / 1000 for n in numbers(memory, draws=12_000).values())
    assert square < 31.3  # 11 degrees of freedom, 0.1 %


def test_a_member_draws_the_same_alone_and_in_a_stack():
    stack, alone = ReplayMemory(FIELDS, 6, 3, 2), ReplayMemory(FIELDS, 6, 1, 2)
    for timestep in range(11):
        write(stack, timestep)
        write(alone, timestep)
    batch = stack.sample(64, [torch.Generator().manual_seed(seed) for seed in (5, 6, 7)])
    own = alone.sample(64, [torch.Generator().manual_seed(6)])
    assert torch.equal(batch["number"][1] - 200, own["number"][0])


@pytest.mark.parametrize("valid", [None, torch.ones(4, dtype=torch.bool)])
def test_both_ways_of_writing_draw_alike(valid):
    memories = [ReplayMemory(FIELDS, 6, 2, 2) for _ in range(2)]
    for timestep in range(9):
        write(memories[0], timestep)
        write(memories[1], timestep, valid=valid)
    drawn = [
        m.sample(32, [torch.Generator().manual_seed(s) for s in (1, 2)])["number"] for m in memories
    ]
    assert torch.equal(*drawn)


def test_returns_by_hand():
    rewards = torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1).expand(3, 2, 4)
    ends = torch.zeros(3, 2, 4, dtype=torch.bool)
    known = torch.ones(3, 2, 4, dtype=torch.bool)
    ends[0, :, 1] = True  # the first step ends the episode
    ends[1, :, 2] = True  # the second does
    known[2, :, 3] = False  # the third has not happened yet
    total, steps = n_step_return(rewards, ends, known, torch.tensor([0.5, 0.1]))
    assert steps.tolist() == [[3, 1, 2, 2]] * 2
    assert total[0].tolist() == [1 + 1 + 1, 1.0, 2.0, 2.0]
    torch.testing.assert_close(total[1], torch.tensor([1.24, 1.0, 1.2, 1.2]))


def n_step_memory(invalid=False):
    """Columns 0 and 1: an episode is terminated at timestep 9, or truncated at timestep 10."""
    memory = ReplayMemory(FIELDS, 6, 1, 2, n_step=3)
    for timestep in range(13):
        end = torch.tensor([timestep == 9, False]), torch.tensor([False, timestep == 10])
        valid = torch.tensor([timestep != 10, timestep != 11]) if invalid else None
        write(memory, timestep, valid=valid, terminated=end[0], truncated=end[1])
    return memory


@pytest.mark.parametrize("invalid", [False, True])
def test_samples_of_several_steps_stop_at_the_ends_of_episodes(invalid):
    memory = n_step_memory(invalid)
    batch = memory.sample(500, [torch.Generator().manual_seed(0)], torch.tensor([0.5]))
    found = {}
    for i, number in enumerate(batch["number"][0].tolist()):
        found[number] = tuple(
            batch[name][0, i].flatten()[0].item()
            for name in ("rewards", "steps", "next_observations.0", "terminated", "truncated")
        )
    # From timestep 8, column 0 ends at 9, and column 1 at 10.
    assert found[8] == (8 + 4.5, 2, 10, True, False)
    assert found[9] == (9.0, 1, 10, True, False)
    assert found[108] == (8 + 4.5 + 2.5, 3, 11, False, True)
    assert found[110] == (10.0, 1, 11, False, True)
    # What has not happened yet shortens the rest.
    assert found[12] == (12.0, 1, 13, False, False)
    assert found[11] == (11 + 6, 2, 13, False, False)
    assert (10 in found) is (not invalid)
    assert (111 in found) is (not invalid)


def test_a_cut_ends_the_latest_samples():
    memory = ReplayMemory(FIELDS, 6, 1, 2, n_step=3)
    memory.cut()
    for timestep in range(8):
        write(memory, timestep)
        if timestep == 5:
            memory.cut()
    batch = memory.sample(400, [torch.Generator().manual_seed(0)], torch.tensor([1.0]))
    numbers, steps = batch["number"][0].tolist(), batch["steps"][0].tolist()
    steps = dict(zip(numbers, steps, strict=True))
    assert [steps[n] for n in (2, 3, 4, 5, 6, 7)] == [3, 3, 2, 1, 2, 1]


@pytest.mark.parametrize("invalid", [False, True])
@pytest.mark.parametrize("written", [0, 3, 9])
def test_state_brings_back_what_is_sampled(invalid, written):
    memory = ReplayMemory(FIELDS, 5, 2, 3)
    other = ReplayMemory(FIELDS, 5, 2, 3)
    for timestep in range(written):
        valid = (torch.arange(6) + timestep) % 4 != 0 if invalid else None
        write(memory, timestep, valid=valid)
    for member in (1, 0):
        other.load(memory.state(member), member)
    for member in (0, 1):
        for name, rows in memory.state(member)["rows"].items():
            assert torch.equal(rows, other.state(member)["rows"][name])
    for timestep in range(written, written + 7):
        write(memory, timestep)
        write(other, timestep)
        assert numbers(memory, 1) == numbers(other, 1)
        assert numbers(memory, 0) == numbers(other, 0)


def test_a_smaller_memory_takes_over_the_latest():
    memory, small = ReplayMemory(FIELDS, 8, 1, 1), ReplayMemory(FIELDS, 3, 1, 1)
    for timestep in range(20):
        write(memory, timestep)
    small.load(memory.state())
    assert set(numbers(small)) == {17, 18, 19}
    write(small, 20)
    assert set(numbers(small)) == {18, 19, 20}


def test_pickles_hold_only_what_is_filled():
    memory = ReplayMemory(FIELDS, 10_000, 2, 3)
    empty = len(pickle.dumps(memory))
    for timestep in range(30):
        write(memory, timestep)
    packed = pickle.dumps(memory)
    assert len(packed) < empty + 30 * 6 * (memory.sample_bytes + 2)
    other = pickle.loads(packed)
    write(memory, 30)
    write(other, 30)
    assert numbers(memory, 1) == numbers(other, 1)


def test_other_contents_are_refused():
    memory, other = ReplayMemory(FIELDS, 5, 1, 3), ReplayMemory(FIELDS, 5, 1, 2)
    write(memory, 0)
    with pytest.raises(CheckpointMismatch, match="of 3 instances, expected 2"):
        other.load(memory.state())
    wide = ReplayMemory({**FIELDS, "number": ((4,), torch.int64)}, 5, 1, 3)
    with pytest.raises(CheckpointMismatch, match=r"number \[4\] torch.int64"):
        wide.load(memory.state())

"""Prioritised replay: the sums, what is drawn how often, importance weights, state."""

import pytest
import torch

from coterie import CheckpointMismatch
from coterie_agents import PrioritizedReplayMemory, ReplayMemory
from coterie_agents._memory.sum_tree import SumTree

FIELDS = {
    "number": ((), torch.int64),
    "rewards": ((), torch.float32),
    "terminated": ((), torch.bool),
    "truncated": ((), torch.bool),
}
ONE = torch.ones(1)


def write(memory, timestep, valid=None):
    count = memory.population * memory.num_envs
    none = torch.zeros(count, dtype=torch.bool)
    memory.write([torch.arange(count) * 100 + timestep, torch.zeros(count), none, none], valid)


def make(capacity=8, population=1, num_envs=1, exponent=1.0, **more):
    exponents = torch.full((population,), exponent)
    return PrioritizedReplayMemory(
        FIELDS, capacity, population, num_envs, exponent=exponents, **more
    )


def set_priorities(memory, priorities):
    """Give samples by number errors that make these priorities."""
    for _ in range(50):
        uniforms = torch.rand(1, 64, dtype=torch.float64)
        batch = memory.pick(uniforms)
        errors = torch.tensor([[priorities[n] for n in batch["number"][0].tolist()]])
        memory.update_priorities(batch["leaves"], errors)


@pytest.mark.parametrize("leaves", [1, 31, 32, 33, 5000])
def test_the_tree_finds_what_a_running_sum_finds(leaves):
    generator = torch.Generator().manual_seed(leaves)
    tree = SumTree(2, leaves)
    plain = torch.zeros(2, leaves, dtype=torch.float64)
    for _ in range(6):
        places = torch.randint(leaves, (2, 40), generator=generator)
        places = torch.stack([row.unique()[:1].repeat(3) for row in places])
        weights = torch.randint(5, (2, 1), generator=generator).double().expand(2, 3)
        tree.set(places, weights)
        plain.scatter_(1, places, weights)
        tree.set_all(1, plain[1])
    plain[:, leaves // 2] = 3.0
    tree.set(torch.full((2, 1), leaves // 2), torch.full((2, 1), 3.0, dtype=torch.float64))
    assert torch.equal(tree.total, plain.sum(1))
    targets = torch.rand(2, 300, generator=generator, dtype=torch.float64) * tree.total.unsqueeze(1)
    expected = torch.searchsorted(plain.cumsum(1), targets, right=True)
    assert torch.equal(tree.find(targets), expected)
    last = tree.find(tree.total.unsqueeze(1))
    assert (plain.gather(1, last) > 0).all()


def test_samples_are_drawn_in_proportion_to_their_priorities():
    memory = make(capacity=4, constant=0.0)
    for timestep in range(4):
        write(memory, timestep)
    priorities = {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}
    set_priorities(memory, priorities)
    counts = torch.zeros(4)
    generator = torch.Generator().manual_seed(3)
    for _ in range(2500):
        # One draw at a time: the strata of a batch would make the counts more even.
        drawn = memory.pick(torch.rand(1, 1, generator=generator, dtype=torch.float64))
        counts[drawn["number"][0, 0]] += 1
    expected = torch.tensor([250.0, 500.0, 750.0, 1000.0])
    assert ((counts - expected).square() / expected).sum() < 16.3  # 3 degrees, 0.1 %
    strata = memory.pick(torch.rand(1, 10, generator=generator, dtype=torch.float64))
    assert strata["number"][0].bincount().tolist() == [1, 2, 3, 4]


def test_exponents_of_zero_draw_uniformly():
    memory = make(capacity=4, exponent=0.0)
    for timestep in range(4):
        write(memory, timestep)
    set_priorities(memory, {0: 1.0, 1: 20.0, 2: 300.0, 3: 4.0})
    batch = memory.pick(torch.full((1, 8), 0.5, dtype=torch.float64))
    assert batch["number"][0].bincount().tolist() == [2, 2, 2, 2]
    assert batch["weights"].tolist() == [[1.0] * 8]


def test_importance_weights_by_hand():
    memory = make(capacity=2, constant=0.0)
    for timestep in range(2):
        write(memory, timestep)
    set_priorities(memory, {0: 1.0, 1: 3.0})
    memory.importance = torch.tensor([0.5], dtype=torch.float64)
    batch = memory.pick(torch.full((1, 4), 0.5, dtype=torch.float64))
    assert batch["number"].tolist() == [[0, 1, 1, 1]]
    # P = 1/4 and 3/4, M = 2: (1/2)^-0.5 and (3/2)^-0.5, divided by the first.
    torch.testing.assert_close(
        batch["weights"], torch.tensor([[1.0, 3**-0.5, 3**-0.5, 3**-0.5]], dtype=torch.float64)
    )


def test_new_samples_get_the_largest_priority_and_old_ones_go():
    memory = make(capacity=3, constant=0.0)
    for timestep in range(3):
        write(memory, timestep)
    set_priorities(memory, {0: 1.0, 1: 5.0, 2: 2.0})
    assert memory.largest.tolist() == [5.0]
    write(memory, 3)
    assert memory.tree.total.tolist() == [5.0 + 2.0 + 5.0]
    write(memory, 4)
    batch = memory.pick(torch.full((1, 12), 0.5, dtype=torch.float64))
    assert batch["number"][0].bincount().tolist() == [0, 0, 2, 5, 5]


def test_reset_steps_are_never_drawn():
    memory = make(capacity=4, num_envs=2)
    kept = {0: [], 1: []}
    for timestep in range(17):
        valid = torch.tensor([timestep % 3 != 0, timestep % 5 != 0])
        write(memory, timestep, valid)
        for column in (0, 1):
            if valid[column]:
                kept[column].append(100 * column + timestep)
        if timestep > 1:
            batch = memory.pick(torch.rand(1, 64, dtype=torch.float64))
            assert set(batch["number"][0].tolist()) == set(kept[0][-4:] + kept[1][-4:])


def test_members_have_priorities_exponents_and_draws_of_their_own():
    memory = PrioritizedReplayMemory(
        FIELDS, 3, 2, 1, exponent=torch.tensor([1.0, 0.5]), constant=0.0
    )
    alone = make(capacity=3, exponent=0.5, constant=0.0)
    for timestep in range(3):
        write(memory, timestep)
        write(alone, timestep)
    leaves = alone.pick(torch.full((1, 3), 0.5, dtype=torch.float64))["leaves"]
    errors = torch.tensor([[1.0, 4.0, 16.0]])
    memory.update_priorities(leaves.repeat(2, 1), errors.repeat(2, 1))
    alone.update_priorities(leaves, errors)
    assert memory.tree.total.tolist() == [21.0, 7.0]
    uniforms = torch.rand(1, 40, dtype=torch.float64)
    both, own = memory.pick(uniforms.repeat(2, 1)), alone.pick(uniforms)
    assert torch.equal(both["number"][1] - 100, own["number"][0])
    assert torch.equal(both["weights"][1], own["weights"][0])
    assert not torch.equal(both["number"][0], own["number"][0])


def test_state_goes_on_alike():
    memory, other = make(capacity=5, num_envs=2), make(capacity=5, num_envs=2)
    generator = torch.Generator().manual_seed(0)
    for timestep in range(9):
        write(memory, timestep)
        batch = memory.pick(torch.rand(1, 8, generator=generator, dtype=torch.float64))
        memory.update_priorities(batch["leaves"], batch["number"] % 7 + 0.5)
    other.load(memory.state())
    for timestep in range(9, 20):
        uniforms = torch.rand(1, 8, generator=generator, dtype=torch.float64)
        drawn = []
        for each in (memory, other):
            write(each, timestep)
            batch = each.pick(uniforms)
            each.update_priorities(batch["leaves"], batch["number"] % 5 + 0.25)
            drawn.append(batch)
        assert torch.equal(drawn[0]["number"], drawn[1]["number"])
        assert torch.equal(drawn[0]["weights"], drawn[1]["weights"])


def test_a_uniform_memory_is_refused():
    uniform = ReplayMemory(FIELDS, 5, 1, 1)
    with pytest.raises(CheckpointMismatch, match="no priorities"):
        make(capacity=5).load(uniform.state())

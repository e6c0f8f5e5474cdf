"""A replay memory that members share: what they see of each other, in one process and several."""

import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import tempfile

import pytest
import torch
from gymnasium import spaces

from coterie import CheckpointMismatch, ConfigError, SharedMemoryError
from coterie_agents import DQN, SharedReplay, replay_fields

FIELDS = {
    "number": ((), torch.int64),
    "wide": ((512,), torch.int64),
    "rewards": ((), torch.float32),
    "terminated": ((), torch.bool),
    "truncated": ((), torch.bool),
}
SPAWN = torch.multiprocessing.get_context("spawn")
LINUX = sys.platform == "linux"

# Run by processes of their own; they get their parts through a pipe.
READER = """
import torch
part, steps = pipe.recv()
pipe.send("ready")
generator = [torch.Generator().manual_seed(0)]
while part.shared.writes_of(0) == 0:
    pass
batches, low, high = 0, 0, 0
while part.shared.writes_of(0) < steps:
    before = part.shared.writes_of(0)
    batch = part.sample(16, generator)
    after = part.shared.writes_of(0)
    number = batch["number"]
    assert (batch["wide"] == number.unsqueeze(-1)).all(), "half a row"
    assert torch.equal(batch["rewards"].long(), number), "two rows"
    assert int(number.max()) < after
    # A column that leaves out every third step goes back further than its capacity.
    assert int(number.min()) >= before - 2 * part.capacity - 3
    batches += 1
pipe.send(batches)
pipe.recv()
"""


def start(code):
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=exec, args=(code, {"pipe": there}), daemon=True)
    process.start()
    there.close()
    return process, here


def make(members=2, num_envs=2, capacity=4):
    return SharedReplay(FIELDS, members=members, num_envs=num_envs, capacity=capacity)


def write(part, timestep, valid=None):
    own = 1000 * part.member + 100 * torch.arange(part.num_envs) + timestep
    none = torch.zeros(part.num_envs, dtype=torch.bool)
    wide = own.unsqueeze(1).expand(-1, 512)
    part.write([own, wide, own.float(), none, none], valid)


def seen(part, draws=800):
    batch = part.sample(draws, [torch.Generator().manual_seed(0)])
    return set(batch["number"][0].tolist())


def test_members_see_their_own_latest_step_and_what_others_had_before_it():
    shared = make()
    first, second = shared.part(0), shared.part(1)
    for timestep in range(10):
        write(first, timestep)
        own = {100 * c + t for c in range(2) for t in range(max(0, timestep - 3), timestep + 1)}
        # The other is one timestep behind; afterwards it is not, and this one sees no more of it.
        before = {
            1000 + 100 * c + t for c in range(2) for t in range(max(0, timestep - 4), timestep)
        }
        assert seen(first) == own | before
        write(second, timestep)
        assert seen(first) == own | before
        other = {1000 + n for n in own}
        assert seen(second) == other | {n - 1000 for n in before}


def test_every_sample_that_is_seen_is_as_likely():
    shared = make(capacity=2)
    parts = [shared.part(0), shared.part(1)]
    for timestep in range(7):
        for part in parts:
            write(part, timestep, torch.tensor([True, timestep % 2 == 0]))
    batch = parts[0].sample(8000, [torch.Generator().manual_seed(1)])
    _, counts = batch["number"].unique(return_counts=True)
    assert len(counts) == 8
    assert ((counts - 1000).square() / 1000.0).sum() < 24.3  # 7 degrees of freedom, 0.1 %


def test_returns_over_several_steps_do_not_mix_instances():
    shared = make(capacity=6)
    parts = [shared.part(0), shared.part(1)]
    for part in parts:
        part.n_step = 3
    for timestep in range(9):
        for part in parts:
            write(part, timestep)
    batch = parts[1].sample(300, [torch.Generator().manual_seed(0)], torch.tensor([0.5]))
    number, steps = batch["number"][0], batch["steps"][0]
    latest = torch.where(number < 1000, 7, 8)
    assert torch.equal(steps, (latest - number % 100 + 1).clamp(max=3))
    expected = sum(0.5**k * (number + k) * (k < steps) for k in range(3))
    assert torch.equal(batch["rewards"][0], expected.float())


def test_one_process_writes_while_two_others_read():
    shared, steps = make(members=3, capacity=8), 2000
    own = pickle.loads(pickle.dumps(shared.part(0)))
    readers = start(READER), start(READER)
    none = torch.zeros(2, dtype=torch.bool)
    try:
        for position, (_, pipe) in enumerate(readers, 1):
            pipe.send((shared.part(position), steps))
        assert [pipe.recv() for _, pipe in readers] == ["ready", "ready"]
        for step in range(steps):
            number = torch.full((2,), step)
            wide = number.view(2, 1).expand(2, 512)
            valid = None if step % 3 else torch.tensor([True, False])
            own.write([number, wide, number.float(), none, none], valid)
        counts = [pipe.recv() for _, pipe in readers]
    finally:
        for process, pipe in readers:
            pipe.send(None)
            process.join(20)
    assert [process.exitcode for process, _ in readers] == [0, 0]
    assert min(counts) > 0
    assert shared.writes_of(0) == steps
    back = shared.part(0)
    assert seen(back) == set(range(steps - 8, steps)) | {
        n for n in range(steps - 12, steps) if n % 3
    }


@pytest.mark.skipif(not LINUX, reason="looks into /proc and /dev/shm")
def test_nothing_is_left_when_processes_are_killed():
    code = """
import os, sys, torch
from coterie_agents import SharedReplay
shared = SharedReplay({"rewards": ((), torch.float32), "terminated": ((), torch.bool),
                       "truncated": ((), torch.bool)}, members=1, num_envs=1, capacity=9)
import pickle
sys.stdout.buffer.write(pickle.dumps(shared))
sys.stdout.flush()
os.close(1)
sys.stdin.read()
"""
    made = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    packed = made.stdout.read()
    opened = pickle.loads(packed)
    made.send_signal(signal.SIGKILL)
    made.wait(10)
    made.stdin.close()
    assert opened.tensors["rewards"].shape == (11, 1, 1)  # what is open stays
    with pytest.raises(SharedMemoryError, match="the process that sent it must still live"):
        pickle.loads(packed)
    names = [name for folder in ("/dev/shm", tempfile.gettempdir()) for name in os.listdir(folder)]
    assert [n for n in names if "coterie-replay" in n or f"_{made.pid}_" in n] == []


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
def test_descriptors_are_given_back():
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    shared = make()
    parts = [pickle.loads(pickle.dumps(shared.part(0))) for _ in range(3)]
    assert len(os.listdir("/proc/self/fd")) > before
    del shared, parts
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_copies_are_the_same_memory():
    shared = make()
    part = copy.deepcopy(shared.part(1))
    for timestep in range(3):
        write(part, timestep)
    mine = shared.part(1)
    assert mine.writes == 3
    assert seen(mine) == {1000 + 100 * c + t for c in range(2) for t in range(3)}


def test_state_of_a_part():
    shared, other = make(), make()
    parts = [shared.part(0), shared.part(1)]
    for timestep in range(7):
        for part in parts:
            write(part, timestep, torch.tensor([True, timestep % 3 != 1]))
    copies = [other.part(0), other.part(1)]
    for part, new in zip(parts, copies, strict=True):
        new.load(part.state())
    for timestep in range(7, 12):
        for both in (parts, copies):
            for part in both:
                write(part, timestep)
        assert seen(parts[0]) == seen(copies[0])
    small = make(num_envs=1).part(0)
    with pytest.raises(CheckpointMismatch, match="of 2 instances, expected 1"):
        small.load(parts[0].state())


def test_too_little_memory_is_told():
    with pytest.raises(SharedMemoryError, match="lower its capacity"):
        make(capacity=2**40)


def test_parts_that_do_not_exist():
    with pytest.raises(ConfigError, match="parts 0 to 1, got 2"):
        make().part(2)


CFG = {
    "learning_starts": 5,
    "batch_size": 8,
    "memory_size": 100,
    "model": {"hidden_sizes": (8,)},
}


def agent_with(tools, part, num_envs=4, **settings):
    agent = DQN(
        observation_space=tools.observations,
        action_space=tools.binary,
        cfg={**CFG, **settings},
        memory=part,
    )
    agent.setup(num_envs)
    return agent


def storage(tools, **numbers):
    fields = replay_fields(tools.observations, tools.binary)
    return SharedReplay(fields, **{"members": 2, "num_envs": 4, "capacity": 20, **numbers})


def test_agents_learn_from_what_others_experience(tools):
    shared = storage(tools)
    alone = agent_with(tools, shared.part(0))
    tools.run(alone, 12)
    shared = storage(tools)
    other, agent = agent_with(tools, shared.part(1)), agent_with(tools, shared.part(0))
    for timestep in range(12):
        tools.run(other, 1, start=timestep)
        tools.run(agent, 1, start=timestep)
    one, two = alone.state_dict(), agent.state_dict()
    assert one["updates"] == two["updates"] > 0
    assert not torch.equal(one["networks"]["q"]["weight_0"], two["networks"]["q"]["weight_0"])


def test_agents_with_a_shared_memory_are_not_stacked(tools):
    shared = storage(tools)
    agents = [agent_with(tools, shared.part(member)) for member in range(2)]
    keys = [agent.stack_key() for agent in agents]
    assert keys[0].parts["phase"] != keys[1].parts["phase"]


@pytest.mark.parametrize(
    ("numbers", "settings", "message"),
    [
        ({"num_envs": 3}, {}, "has 3 instances per member, the scope 4"),
        ({"capacity": 4}, {}, "keeps 4 timesteps, but learning starts after 5"),
        ({}, {"memory": "prioritized"}, "is sampled uniformly"),
    ],
)
def test_memories_that_do_not_fit_are_refused(tools, numbers, settings, message):
    shared = storage(tools, **numbers)
    with pytest.raises(ConfigError, match=message):
        agent_with(tools, shared.part(0), **settings)


def test_memories_of_something_else_are_refused(tools):
    with pytest.raises(ConfigError, match=r"make it with\s+SharedReplay.for_env"):
        agent_with(tools, make(num_envs=4).part(0))
    with pytest.raises(ConfigError, match=r"shared.part\(0\)"):
        agent_with(tools, make(num_envs=4))


def test_fields_of_spaces():
    fields = replay_fields(spaces.Discrete(3), spaces.Box(-1, 1, (2, 2)), spaces.MultiBinary(4))
    assert list(fields) == [
        "observations.0",
        "next_observations.0",
        "states.0",
        "next_states.0",
        "actions",
        "rewards",
        "terminated",
        "truncated",
    ]
    assert fields["actions"] == ((4,), torch.float32)
    with pytest.raises(ConfigError, match="Discrete and Box"):
        replay_fields(spaces.Discrete(3), spaces.MultiBinary(4))

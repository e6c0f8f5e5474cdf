"""What every agent has from its base class."""

import pytest
import torch
from gymnasium import spaces

from coterie import (
    Agent,
    CheckpointCorrupt,
    CheckpointMismatch,
    CheckpointNotFound,
    ConfigError,
    Transition,
    derive_seed,
)
from coterie.testing import CountingEnv, GlobalDrawAgent, SumAgent, agents_for, assert_same_state


def agent(kind=SumAgent, **changes):
    fields = {
        "observation_space": spaces.Box(-1, 1, (3,)),
        "action_space": spaces.Discrete(2),
        "seed": 4,
    }
    return kind(**{**fields, **changes})


def test_its_generator_is_its_own():
    expected = torch.Generator().manual_seed(derive_seed(4, "agent"))
    assert torch.equal(agent().generator.get_state(), expected.get_state())
    assert not torch.equal(agent(seed=5).generator.get_state(), expected.get_state())


def test_settings_are_checked():
    assert agent(cfg={"scale": 2}).cfg.scale == 2.0
    with pytest.raises(ConfigError, match=r"(?s)settings of agent 'sum'.*scael.*scale") as caught:
        agent(cfg={"scael": 2, "scale": "x"})
    assert "'x'" in str(caught.value)


def test_scalars_are_averaged_and_forgotten():
    one = agent()
    for value in (1.0, 2.0, 6.0):
        one.track("loss", value)
    one.track("rate", torch.tensor(0.5))
    assert one.metrics() == {"loss": 3.0, "rate": 0.5}
    assert one.metrics() == {}


class Fixed(SumAgent):
    @property
    def changeable(self):
        return ()


@pytest.mark.parametrize(
    ("cls", "settings", "words"),
    [
        (Fixed, {"scale": 2.0}, ["scale can't change", "none of its settings can"]),
        (SumAgent, {"scael": 2.0}, ["scael", "did you mean 'scale'?"]),
        (SumAgent, {"scale": "big"}, ["scale", "'big'"]),
    ],
)
def test_settings_that_can_not_change_are_refused(cls, settings, words):
    one = agent(cls)
    with pytest.raises(ConfigError) as caught:
        one.reconfigure(settings)
    assert all(word in str(caught.value) for word in words)
    assert one.cfg.scale == 1.0


def test_a_changed_setting_is_part_of_the_state():
    one, other = agent(), agent(seed=4)
    one.reconfigure({"scale": 2.5})
    other.load_state_dict(one.state_dict())
    assert other.cfg.scale == 2.5


def test_inheriting_leaves_the_random_numbers_alone():
    class Cut(SumAgent):
        cuts = 0

        def episodes_cut(self):
            self.cuts += 1

    donor, heir = agent(), agent(Cut, seed=9)
    donor.sum, donor.steps = torch.arange(3.0), 8
    before = heir.generator.get_state()
    heir.inherit(donor.learned())
    assert torch.equal(heir.generator.get_state(), before)
    assert (heir.steps, heir.cuts) == (8, 1)
    assert torch.equal(heir.sum, torch.arange(3.0))


def test_saved_and_loaded(tmp_path):
    trained, fresh = agent(), agent(seed=9)
    trained.sum, trained.steps = torch.arange(3.0), 8
    trained.generator.manual_seed(1)
    trained.save(tmp_path / "new" / "agent.safetensors")
    fresh.load(str(tmp_path / "new" / "agent.safetensors"))
    assert_same_state(trained.state_dict(), fresh.state_dict())
    assert torch.equal(
        torch.rand(3, generator=trained.generator), torch.rand(3, generator=fresh.generator)
    )


def test_what_can_not_be_loaded(tmp_path):
    path = tmp_path / "agent.safetensors"
    with pytest.raises(CheckpointNotFound, match=r"agent\.safetensors"):
        agent().load(path)
    agent().save(path)
    with pytest.raises(CheckpointMismatch, match="kind 'sum', this is a 'global-draw'"):
        agent(GlobalDrawAgent).load(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointCorrupt):
        agent().load(path)


def test_the_contract_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        agent(Agent)


def test_as_text():
    assert repr(agent(name="lr-1")) == "<SumAgent 'lr-1' seed=4 cpu>"
    assert repr(agent()) == "<SumAgent 'sum' seed=4 cpu>"


def test_an_end_is_an_end_either_way():
    flags = torch.tensor([[True, True, False, False], [True, False, True, False]])
    nothing = torch.zeros(4, 1)
    step = Transition(
        observations=nothing,
        actions=nothing,
        rewards=torch.zeros(4),
        next_observations=nothing,
        terminated=flags[0],
        truncated=flags[1],
        valid=~flags[0],
    )
    assert step.done.tolist() == [True, True, True, False]
    assert (step.all_valid, dict(step.infos)) == (True, {})


def test_a_full_life_needs_two_methods_more_than_the_state():
    """The smallest agent: it acts and takes note; everything else has a default."""

    class Smallest(Agent):
        def act(self, observations, **_):
            return torch.zeros(self.num_envs, dtype=torch.int64)

        def record_transition(self, transition, **_):
            pass

    from coterie import SequentialTrainer

    env = CountingEnv(2)
    (one,) = agents_for(env, Smallest)
    cfg = {"timesteps": 9, "disable_progressbar": True}
    trainer = SequentialTrainer(env=env, agents=one, cfg=cfg)
    assert trainer.train().members[0].status == "trained"
    assert trainer.eval().members[0].status == "evaluated"

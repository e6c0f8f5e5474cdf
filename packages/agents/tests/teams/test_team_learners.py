"""Teams: who shares what, which rows count, and what becomes of the state."""

import numpy as np
import pytest
import torch
from attrs import evolve
from gymnasium import spaces
from torch import nn

from coterie import CheckpointMismatch, ConfigError, Transition
from coterie.testing import assert_same_state, differs
from coterie_agents import PPO, NonFiniteLoss

ACTORS = ("left", "right", "scout")
STATES = {
    "none": None,
    "shared": spaces.Box(-1.0, 1.0, (5,), np.float32),
    "own": spaces.Dict([(a, spaces.Box(-1.0, 1.0, (4,), np.float32)) for a in ACTORS]),
}
FULL = {"observation_normalization": True, "value_clip": 0.2, "entropy_loss_scale": 0.01}


def groups_of(team):
    return [(g.group.actors, g.group.names) for g in team.learner.groups]


def learned(team):
    """The state without what may hold observations of actors that are gone."""
    state = team.state_dict()
    return {
        **state,
        "actors": {
            name: {key: value for key, value in own.items() if key != "rollout"}
            for name, own in state["actors"].items()
        },
    }


@pytest.mark.parametrize(
    ("sharing", "places", "expected"),
    [
        ("auto", "alike", [(("left", "right", "scout"), ("left",))]),
        ("shared", "alike", [(("left", "right", "scout"), ("left",))]),
        ("separate", "alike", [(("left", "right", "scout"), ("left", "right", "scout"))]),
        ("auto", "unlike", [((a,), (a,)) for a in ("left", "right", "scout")]),
        ("shared", "mixed", [(("left", "scout"), ("left",)), (("right",), ("right",))]),
        ("separate", "mixed", [(("left", "scout"), ("left", "scout")), (("right",), ("right",))]),
        ("auto", "mixed", [(("left", "scout"), ("left", "scout")), (("right",), ("right",))]),
    ],
)
def test_who_shares_networks(script, kind, sharing, places, expected):
    mixed = {
        "observation_space": script.unlike["observation_space"],
        "action_space": spaces.Dict([(a, spaces.Discrete(2)) for a in ("left", "right", "scout")]),
    }
    given = {"alike": script.alike, "unlike": script.unlike, "mixed": mixed}[places]
    team = script.team(kind, given, sharing=sharing)
    assert groups_of(team) == expected
    assert list(team.state_dict()["actors"]) == [n for _, names in expected for n in names]
    assert list(team.learning_rates) == list(team.state_dict()["actors"])


def test_networks_of_different_actors_start_differently(script):
    state = script.team("ippo", sharing="separate").state_dict()["actors"]
    policies = [own["networks"]["policy"] for own in state.values()]
    assert differs(policies[0], policies[1])
    assert differs(policies[1], policies[2])


@pytest.mark.parametrize(("actor_id", "inputs"), [(True, 6), (False, 3)])
def test_shared_policies_see_who_they_act_for(script, actor_id, inputs):
    team = script.team("ippo", actor_id=actor_id)
    (learner,) = team.learner.groups
    assert learner.networks.policy_input.features == inputs
    one = torch.ones(4, 3)
    same = dict.fromkeys(("left", "right", "scout"), one)
    rows = learner._seen(same)
    outputs = learner.networks.policy(learner.networks.policy_input.from_step(rows))[0]
    assert outputs.shape == (12, 2)
    alike = torch.allclose(outputs[:4], outputs[4:8], atol=1e-7)
    assert alike is not actor_id


@pytest.mark.parametrize("all_valid", [True, False])
@pytest.mark.parametrize("sharing", ["shared", "separate"])
@pytest.mark.parametrize("action", ["discrete", "box"])
def test_a_team_of_one_is_a_ppo_agent_bit_for_bit(script, all_valid, sharing, action):
    act = {"discrete": spaces.Discrete(3), "box": spaces.Box(-1.0, 1.0, (2,), np.float32)}[action]
    settings = {**FULL, "rollouts": 8, "learning_epochs": 3, "mini_batches": 2, "kl_threshold": 0.1}
    team = script.team(
        "ippo",
        {"observation_space": spaces.Dict(solo=script.box), "action_space": spaces.Dict(solo=act)},
        seed=7,
        sharing=sharing,
        **settings,
    )
    model = {"hidden_sizes": (6, 6)}
    agent = PPO(
        observation_space=script.box, action_space=act, seed=7, cfg={**settings, "model": model}
    )
    agent.setup(4)
    play = script(early=not all_valid)
    for timestep in range(21):
        at = {"timestep": timestep, "timesteps": 30}
        observations = play.see(team.observation_space, 4, timestep)
        actions = team.act(observations, **at)
        own = agent.act(observations["solo"], **at)
        assert torch.equal(actions["solo"], own)
        step = play.transition(team, actions, 4, timestep)
        team.record_transition(step, **at)
        names = ("observations", "actions", "rewards", "next_observations")
        flags = ("terminated", "truncated", "valid")
        parts = {name: getattr(step, name)["solo"] for name in (*names, *flags)}
        agent.record_transition(Transition(**parts, all_valid=step.all_valid), **at)
        team.post_interaction(**at)
        agent.post_interaction(**at)
    state = team.state_dict()
    mine = {"generator": state["generator"], **state["actors"]["solo"]}
    assert agent.learner.updates == [2]
    assert_same_state(mine, agent.state_dict())
    assert team.metrics() == agent.metrics()


@pytest.mark.parametrize("sharing", ["shared", "separate"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("places", ["alike", "unlike"])
def test_rows_of_actors_that_are_gone_have_no_part_in_anything(
    script, kind, sharing, state, places
):
    found, told = [], []
    for filler in (0.0, -1000.0):
        given = {"alike": script.alike, "unlike": script.unlike}[places]
        team = script.team(kind, given, state_space=STATES[state], sharing=sharing, **FULL)
        script(filler).run(team, 16)
        found.append(learned(team))
        told.append(team.metrics())
    assert found[0]["updates"] == 2
    assert_same_state(*found)
    assert told[0] == told[1]


@pytest.mark.parametrize("state", STATES)
def test_only_the_central_critic_sees_the_state(script, state):
    width = {"none": 9, "shared": 5, "own": 4}[state]
    for kind, features in (("ippo", 3), ("mappo", width)):
        team = script.team(kind, state_space=STATES[state], actor_id=False)
        networks = team.learner.groups[0].networks
        assert networks.value_input.features == features
        assert networks.policy_input.features == 3


def test_states_must_be_there(script):
    team = script.team("mappo", state_space=STATES["shared"])
    play = script()
    actions = team.act(play.see(team.observation_space, 4, 0))
    step = play.transition(team, actions, 4, 0)
    with pytest.raises(ValueError, match="state_space, but the transition has no states"):
        team.record_transition(evolve(step, states=None))


def test_a_critic_without_a_state_sees_who_is_there(script):
    """One number per actor, so that the joint observation can be read off."""
    unit = spaces.Box(-9.0, 9.0, (1,), np.float32)
    places = {
        "observation_space": spaces.Dict([("left", unit), ("right", unit)]),
        "action_space": spaces.Dict([(a, spaces.Discrete(2)) for a in ("left", "right")]),
    }
    team = script.team("mappo", places, sharing="separate", num_envs=4)
    on, off = torch.tensor([True] * 4), torch.tensor([False] * 4)
    one, two = torch.ones(4, 1), torch.full((4, 1), 2.0)
    # Instance 0: all goes on. 1: right is cut off alone. 2: right was gone. 3: all end.
    step = Transition(
        observations={"left": one, "right": two},
        actions={a: torch.zeros(4, dtype=torch.int64) for a in places["action_space"]},
        rewards=dict.fromkeys(("left", "right"), torch.zeros(4)),
        next_observations={"left": one + 2, "right": two + 2},
        terminated={"left": off, "right": off},
        truncated={
            "left": torch.tensor([False, False, False, True]),
            "right": torch.tensor([False, True, False, True]),
        },
        valid={"left": on, "right": torch.tensor([True, True, False, True])},
        all_valid=False,
        ended=torch.tensor([False, False, False, True]),
    )
    before, after = team.learner.critic.seen(step)
    seen = {a: torch.cat(parts, 1).tolist() for a, parts in before.items()}
    assert seen["left"] == seen["right"] == [[1, 2], [1, 2], [1, 0], [1, 2]]
    assert torch.cat(after["left"], 1).tolist() == [[3, 4], [3, 0], [3, 0], [3, 4]]
    # The last but one row of "right" is not valid, so nothing is read from it.
    assert torch.cat(after["right"], 1)[[0, 1, 3]].tolist() == [[3, 4], [3, 4], [3, 4]]


@pytest.mark.parametrize("sharing", ["shared", "separate"])
@pytest.mark.parametrize("places", ["alike", "unlike"])
@pytest.mark.parametrize("cut_at", [3, 8, 11])
def test_resumed_from_a_file_equals_uninterrupted(script, kind, sharing, places, cut_at, tmp_path):
    given = {"alike": script.alike, "unlike": script.unlike}[places]
    whole, first, second = (
        script.team(kind, given, sharing=sharing, seed=2, **FULL) for _ in range(3)
    )
    script().run(whole, 26)
    script().run(first, cut_at)
    first.save(tmp_path / "team.safetensors")
    second.load(tmp_path / "team.safetensors")
    script().run(second, 26 - cut_at, start=cut_at)
    assert_same_state(whole.state_dict(), second.state_dict())


def test_a_state_of_another_team_is_refused_and_changes_nothing(script, kind):
    team = script.team(kind, sharing="separate")
    before = team.state_dict()
    for wrong in (
        script.team(kind, sharing="shared"),
        script.team(kind, script.unlike),
        script.team(kind, sharing="separate", model={"hidden_sizes": (5,)}),
    ):
        with pytest.raises(CheckpointMismatch, match=f"another {kind.upper()} agent"):
            team.load_state_dict(wrong.state_dict())
    with pytest.raises(CheckpointMismatch):
        team.load_state_dict({**before, "actors": 3})
    assert_same_state(before, team.state_dict())


def test_settings_change_in_every_network(script, kind):
    team = script.team(kind, sharing="separate")
    team.reconfigure({"learning_rate": 0.5, "ratio_clip": 0.3})
    assert team.learning_rates == {"left": 0.5, "right": 0.5, "scout": 0.5}
    (learner,) = team.learner.groups
    assert learner.hyper.ratio_clip.tolist() == pytest.approx([0.3] * 3)
    with pytest.raises(ConfigError, match="sharing can't change"):
        team.reconfigure({"sharing": "shared"})
    other = script.team(kind, sharing="separate")
    other.load_state_dict(team.state_dict())
    assert other.cfg.ratio_clip == 0.3
    assert other.learner.cfgs[0].ratio_clip == 0.3


@pytest.mark.parametrize(("scheduler", "expected"), [("linear", 0.5e-3), ("constant", 1e-3)])
def test_learning_rates_follow_the_schedule(script, scheduler, expected):
    team = script.team("ippo", sharing="separate", learning_rate_scheduler=scheduler)
    script().run(team, 8, total=14)  # the update is at timestep 7 of 14
    assert team.learning_rates == pytest.approx(dict.fromkeys(team.actors, expected))


def test_learning_rates_follow_the_divergence_of_each_network(script):
    team = script.team(
        "ippo",
        script.unlike,
        learning_rate_scheduler="kl_adaptive",
        learning_rate=0.1,
        learning_rate_max=1.0,
        kl_target=0.001,
    )
    script().run(team, 16)
    assert len(set(team.learning_rates.values())) > 1


def test_scalars_of_several_networks_are_told_as_mean_and_each(script):
    team = script.team("ippo", script.unlike)
    script().run(team, 8)
    told = team.metrics()
    own = [told[f"loss/value/{actor}"] for actor in team.actors]
    assert told["loss/value"] == pytest.approx(sum(own) / 3)
    assert told["standard_deviation"] == told["standard_deviation/right"]
    assert "standard_deviation/left" not in told
    shared = script.team("ippo")
    script().run(shared, 8)
    assert "loss/value/left" not in shared.metrics()


def test_rollouts_are_measured_in_the_rows_of_a_network(script):
    settings = {"rollouts": 2, "mini_batches": 5}
    script.team("ippo", num_envs=1, sharing="shared", **settings)  # 2 * 1 * 3 rows
    with pytest.raises(ConfigError, match="2 timesteps in 1 instances"):
        script.team("ippo", num_envs=1, sharing="separate", **settings)


@pytest.mark.parametrize("sharing", ["shared", "separate"])
def test_a_loss_that_is_not_finite_names_the_actor_and_spares_the_weights(script, sharing):
    team = script.team("ippo", sharing=sharing, value_normalization=False)
    before = team.state_dict()["actors"]

    def endless(observations, actions, timestep):
        return {a: torch.full((4,), float("inf") if a == "right" else 1.0) for a in observations}

    with pytest.raises(NonFiniteLoss, match=r"actor '(left|right)': loss/"):
        script(reward=endless).run(team, 8)
    after = team.state_dict()["actors"]
    for name, own in before.items():
        assert_same_state(own["networks"], after[name]["networks"])
    assert team.learner.alive is None
    script().run(team, 8, start=8)
    assert differs(before, team.state_dict()["actors"])


class Numbered(nn.Module):
    """Takes observations, and the number of the actor if there is one."""

    def __init__(self, inputs, outputs, numbered):
        super().__init__()
        self.numbered = numbered
        self.layer = nn.Linear(inputs + 3 * numbered, outputs)

    def forward(self, inputs):
        if self.numbered:
            rows, numbers = inputs
            rows = torch.cat(rows, 1) if isinstance(rows, tuple) else rows
            inputs = torch.cat([rows, nn.functional.one_hot(numbers, 3).float()], 1)
        elif isinstance(inputs, tuple):
            inputs = torch.cat(inputs, 1)
        return self.layer(inputs)


@pytest.mark.parametrize("actor_id", [True, False])
def test_own_modules_are_those_of_all_actors(script, kind, actor_id):
    torch.manual_seed(0)
    value = 3 if kind == "ippo" else 9
    models = {"policy": Numbered(3, 2, actor_id), "value": Numbered(value, 1, actor_id)}
    before = {name: module.layer.weight.clone() for name, module in models.items()}
    team = script.team(kind, models=models, actor_id=actor_id)
    script().run(team, 8)
    for name, module in models.items():
        assert team.models[name] is module
        assert not torch.equal(before[name], module.layer.weight)


@pytest.mark.parametrize("given", [{"sharing": "separate"}, {"places": "unlike"}])
def test_own_modules_are_refused_where_actors_have_their_own(script, given):
    models = {"policy": nn.Linear(3, 2), "value": nn.Linear(3, 1)}
    places = script.unlike if "places" in given else script.alike
    settings = {key: value for key, value in given.items() if key != "places"}
    with pytest.raises(ConfigError, match=r"models: .* left; (of )?right; (of )?scout"):
        script.team("ippo", places, models=models, **settings)

"""PettingZoo itself behind the contract for teams; skipped where it is not installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode

import coterie
from coterie import ConfigError, EnvContractError
from coterie.spaces import sample_actions
from coterie.testing import SumTeam, TeamEnvSuite, agents_for, assert_same_state
from coterie_envs import PettingZooAdapter, PettingZooEnv

cloudpickle = pytest.importorskip("cloudpickle")
pettingzoo = pytest.importorskip("pettingzoo")
pytest.importorskip("mpe2")

cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Race(pettingzoo.ParallelEnv):
    """Actors with spaces of their own, of which "hare" ends first; draws from its stream.

    ``trouble`` makes it do what a team can't follow.
    """

    metadata = {"name": "race_v0"}  # noqa: RUF012
    possible_agents = ["hare", "tortoise", "judge"]  # noqa: RUF012

    def __init__(self, trouble: str = "", keeps: bool = False, render_mode=None) -> None:
        self.trouble, self.keeps, self.render_mode = trouble, keeps, render_mode
        self.np_random, _ = seeding.np_random()
        self.closed = 0
        self.state_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def observation_space(self, agent):
        if agent == "judge":
            box = spaces.Box(-10, 100, (2,), np.float64)
            return spaces.Dict(observation=box, action_mask=spaces.MultiBinary(3))
        return spaces.Box(-10, 100, (3 if agent == "hare" else 2,), np.float32)

    def action_space(self, agent):
        return spaces.Discrete(3, start=1) if agent != "hare" else spaces.Box(-1, 1, (2,))

    def _observe(self, agent):
        values = [self.steps, self.start, self.possible_agents.index(agent)]
        if agent != "judge":
            return np.array(values[: 3 if agent == "hare" else 2], np.float64)
        mask = np.array([1, self.steps % 2, 0], np.int8)
        return {"observation": np.array(values[:2]), "action_mask": mask}

    def state(self):
        return np.array([self.start, self.steps], np.float32)

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.np_random, _ = seeding.np_random(seed)
        if options:
            self.close = options["close"]
        self.steps, self.start = 0, float(self.np_random.random())
        self.length = int(self.np_random.integers(4, 8))
        self.agents = list(self.possible_agents)
        if self.trouble == "late":
            self.agents.remove("judge")
        return {a: self._observe(a) for a in self.agents}, {a: {} for a in self.agents}

    def step(self, actions):
        if self.trouble == "raise" and self.steps == 2:
            raise OSError("the track is flooded")
        if self.trouble == "exit" and self.steps == 2:
            os._exit(7)
        assert list(actions) == self.agents
        self.steps += 1
        acting = list(self.agents)
        sums = {a: float(np.sum(actions[a])) for a in acting}
        over = {a: self.steps >= self.length - (2 if a == "hare" else 0) for a in acting}
        observations = {a: self._observe(a) for a in acting}
        infos = {a: {"sum": sums[a]} if a != "judge" else {} for a in acting}
        terminated = {a: over[a] and a == "hare" for a in acting}
        truncated = {a: over[a] and a != "hare" for a in acting}
        self.agents = [a for a in acting if not over[a] or (self.keeps and a == "hare")]
        self._make_trouble(observations)
        return observations, sums, terminated, truncated, infos

    def _make_trouble(self, observations) -> None:
        if self.trouble == "stranger":
            self.agents.append("fox")
        elif self.trouble == "back" and self.steps == self.length - 1:
            self.agents.append("hare")
        elif self.trouble == "lost" and self.steps == 2:
            self.agents.remove("tortoise")
        elif self.trouble == "nothing" and self.steps == 2:
            del observations["tortoise"]
        elif self.trouble == "shape":
            observations["hare"] = np.zeros(4)
        elif self.trouble == "float":
            observations["judge"]["action_mask"] = np.array([0.5, 0.5, 0])
        elif self.trouble == "key":
            del observations["judge"]["action_mask"]

    def render(self):
        return np.full((2, 3, 3), self.steps, np.uint8)

    def close(self):
        self.closed += 1
        if self.trouble == "hang":
            time.sleep(60)
        if self.trouble == "close":
            raise ValueError("the gate is stuck")


def race(num_envs: int = 2, trouble: str = "", seed: int | None = 0, **more) -> PettingZooEnv:
    return PettingZooEnv([partial(Race, trouble)] * num_envs, name="race", seed=seed, **more)


def actions_of(env, count, seed):
    return sample_actions(env.action_space, count, torch.Generator().manual_seed(seed))


class InTurnSuite(TeamEnvSuite):
    def break_close(self, env, close):
        env._copies.copies[0].env.close = close


class TestRaceInTurn(InTurnSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        return race(num_envs, seed=seed)


class TestRaceInProcesses(TeamEnvSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        return race(num_envs, seed=seed, vectorization="async", workers=2)

    def break_close(self, env, close):
        env.reset(options={"close": close})


class TestSimpleSpread(InTurnSuite):
    timesteps = 40

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "pettingzoo:mpe2/simple_spread_v3",
            num_envs=num_envs,
            seed=seed,
            max_cycles=12,
            continuous_actions=True,
            actors_end_together=True,
        )


class TestPursuit(InTurnSuite):
    """SISL: images, a state of another shape, rewards that all share."""

    timesteps = 20

    def make_env(self, num_envs, seed):
        return coterie.make_env(
            "pettingzoo:sisl/pursuit", num_envs=num_envs, seed=seed, max_cycles=6, n_pursuers=3
        )


class TestWrappedSpeakerListener(InTurnSuite):
    """An AEC environment, converted; actors with different spaces."""

    timesteps = 40

    def make_env(self, num_envs, seed):
        from mpe2 import simple_speaker_listener_v4

        envs = [simple_speaker_listener_v4.env(max_cycles=12) for _ in range(num_envs)]
        return coterie.wrap_env(envs, seed=seed)


@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_steps_are_those_of_the_bare_library(vectorization):
    from mpe2 import simple_spread_v3

    env = coterie.make_env(
        "pettingzoo:mpe2/simple_spread_v3", num_envs=3, vectorization=vectorization
    )
    bare = [simple_spread_v3.parallel_env() for _ in range(3)]
    observed, _ = env.reset(seed=[4, 9, 2**31 + 1])
    seen = [one.reset(seed=seed)[0] for one, seed in zip(bare, (4, 9, 1), strict=True)]
    ended = 0
    for step in range(300):
        for actor in env.actors:
            assert observed[actor].tolist() == [seen[k][actor].tolist() for k in range(3)]
        assert env.state().tolist() == [one.state().tolist() for one in bare]
        actions = actions_of(env, 3, step)
        observed, rewards, terminated, truncated, _ = env.step(actions)
        for k, one in enumerate(bare):
            chosen = {actor: int(actions[actor][k]) for actor in env.actors}
            seen[k], gains, ends, cuts, _ = one.step(chosen)
            for actor in env.actors:
                assert rewards[actor][k] == np.float32(gains[actor])
                flags = bool(terminated[actor][k]), bool(truncated[actor][k])
                assert flags == (ends[actor], cuts[actor])
        if not bare[0].agents:
            ended += 1
            observed, _ = env.reset(options={"reset_mask": torch.ones(3, dtype=torch.bool)})
            seen = [one.reset()[0] for one in bare]
    assert ended == 12
    env.close()


def test_an_actor_that_ends_early_leaves_zeros():
    env, bare = race(1, seed=None), Race()
    env.reset(seed=3)
    bare.reset(seed=3)
    early = bare.length - 2
    for step in range(bare.length):
        observed, rewards, terminated, truncated, infos = env.step(actions_of(env, 1, step))
        there = step < early
        assert observed["tortoise"][0, 0] == step + 1
        if there:
            assert observed["hare"][0, 0] == step + 1
            assert bool(terminated["hare"]) is (step == early - 1)
        else:
            assert observed["hare"].abs().sum() == rewards["hare"] == 0
            assert not terminated["hare"] | truncated["hare"]
            assert "hare" not in infos
        assert bool(truncated["tortoise"]) is (step == bare.length - 1)
    with pytest.raises(EnvContractError, match=r"instance 0: the episode is over .* reset it"):
        env.step(actions_of(env, 1, 0))


def test_ended_actors_may_stay_in_agents():
    """Some environments list actors that ended, and go on telling about them."""
    tidy, untidy = race(2), PettingZooEnv([partial(Race, keeps=True)] * 2, seed=0)
    for env in (tidy, untidy):
        env.reset()
    for step in range(4):
        one, other = (env.step(actions_of(env, 2, step)) for env in (tidy, untidy))
        for left, right in zip(one[:4], other[:4], strict=True):
            assert all(torch.equal(left[a], right[a]) for a in ("hare", "tortoise"))


def test_masks_and_infos_pass_through():
    env = race(2)
    observed, infos = env.reset()
    assert infos == {}
    assert observed["judge"]["action_mask"].tolist() == [[1, 0, 0]] * 2
    assert observed["judge"]["observation"].dtype == torch.float64
    env.reset(options={"reset_mask": torch.tensor([True, False])})
    actions = actions_of(env, 2, 0)
    observed, *_, infos = env.step(actions)
    assert observed["judge"]["action_mask"].tolist() == [[1, 1, 0]] * 2
    assert infos["tortoise"]["sum"].tolist() == actions["tortoise"].tolist()
    assert infos["tortoise"]["_sum"].tolist() == [True, True]
    assert "judge" not in infos


def test_infos_of_some_instances_are_gathered():
    from coterie_envs._pettingzoo.infos import gather

    given = {
        0: {"a": {"hits": 2, "place": np.array([1.0, 2.0]), "name": "x", "more": {"b": True}}},
        2: {"a": {"hits": 3.5}, "common": {"t": 1}},
    }
    found = gather(given, {"a": "A"}, 3)
    assert found["A"]["hits"].tolist() == [2, 0, 3.5]
    assert found["A"]["_hits"].tolist() == [True, False, True]
    assert found["A"]["place"].tolist() == [[1, 2], [0, 0], [0, 0]]
    assert found["A"]["name"].tolist() == ["x", None, None]
    assert found["A"]["more"]["b"].tolist() == [True, False, False]
    assert found["common"]["t"].tolist() == [0, 0, 1]


@pytest.mark.parametrize("vectorization", ["sync", "async"])
@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("late", r"began without 'judge'; a team's actors must all be there"),
        ("stranger", r"'fox' appeared, which possible_agents does not name"),
        ("back", r"'hare' came back .* an actor of a team ends once"),
        ("lost", r"'tortoise' left env.agents, but neither terminated nor truncated"),
        ("nothing", r"returned no observation of 'tortoise', which has not ended"),
        ("shape", r"observation of 'hare' is float64 \(4,\), its space has float32 \(3,\)"),
        ("float", r"observation of 'judge'\['action_mask'\] is float64"),
        ("key", r"observation of 'judge' lacks 'action_mask'"),
    ],
)
def test_what_a_team_can_not_follow_is_explained(trouble, message, vectorization):
    if vectorization == "async" and trouble not in ("late", "shape"):
        pytest.skip("the same code; two of them show that errors come through")
    env = race(1, trouble, vectorization=vectorization)
    with pytest.raises(EnvContractError, match=f"race, instance 0: .*{message}"):
        run(env, 10)
    env.close()


def run(env, steps):
    env.reset()
    for step in range(steps):
        env.step(actions_of(env, env.num_envs, step))


def test_an_error_in_a_process_comes_with_its_traceback():
    env = race(3, "raise", vectorization="async", workers=2)
    with pytest.raises(OSError, match="the track is flooded") as caught:
        run(env, 3)
    assert caught.value.__notes__ == ["in instance 0 of race"]
    text = str(caught.value.__cause__)
    assert "in step" in text
    assert "flooded" in text
    observed, _ = env.reset(seed=1)  # the processes are still there
    other = race(3)
    expected, _ = other.reset(seed=1)
    assert all(torch.equal(observed[a], expected[a]) for a in ("hare", "tortoise"))
    env.close()


def test_an_error_in_turn_is_the_environments_own():
    env = race(2, "raise")
    with pytest.raises(OSError, match="the track is flooded") as caught:
        run(env, 3)
    assert caught.value.__notes__ == ["in instance 0 of race"]


def test_a_process_that_dies_is_reported():
    env = race(2, "exit", vectorization="async", workers=2)
    with pytest.raises(EnvContractError, match=r"instances 0 to 0 .* with exit code 7"):
        run(env, 3)
    with pytest.raises(EnvContractError, match="make it again"):
        env.reset()
    with pytest.warns(RuntimeWarning, match="exit code 7"):
        env.close()


def test_a_process_that_was_killed_is_reported():
    env = race(2, vectorization="async", workers=1)
    env.reset()
    os.kill(env._copies._processes[0].pid, signal.SIGKILL)
    with pytest.raises(EnvContractError, match=r"instances 0 to 1 .* killed by SIGKILL"):
        env.step(actions_of(env, 2, 0))
    with pytest.warns(RuntimeWarning, match="SIGKILL"):
        env.close()


def test_closing_leaves_nothing():
    before = set(Path("/dev/shm").iterdir()) if Path("/dev/shm").exists() else set()
    env = race(3, vectorization="async", workers=2)
    env.reset()
    pids = [process.pid for process in env._copies._processes]
    env.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    if before:
        assert set(Path("/dev/shm").iterdir()) <= before
    with pytest.raises(EnvContractError, match="race is closed"):
        env.reset()


def test_a_close_that_hangs_is_bounded(monkeypatch):
    from coterie_envs._pettingzoo import processes

    monkeypatch.setattr(processes, "CLOSE_SECONDS", 0.5)
    makers = [partial(Race, ""), partial(Race, "hang")]
    env = PettingZooEnv(makers, name="race", vectorization="async", workers=2)
    pids = [process.pid for process in env._copies._processes]
    with pytest.warns(RuntimeWarning, match=r"race: closing took more than 0.5 s"):
        env.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_processes_need_no_torch():
    class Telling(Race):
        def reset(self, seed=None, options=None):
            observations, infos = super().reset(seed)
            return observations, {**infos, "judge": {"torch": "torch" in sys.modules}}

    env = PettingZooEnv([Telling], vectorization="async")
    assert env.reset()[1]["judge"]["torch"].tolist() == [False]
    env.close()


def test_processes_end_with_their_parent():
    code = (
        "import coterie, os; env = coterie.make_env('pettingzoo:mpe2/simple_v3', num_envs=1, "
        "vectorization='async'); print(env._copies._processes[0].pid, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{int(done.stdout)}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_closing_in_turn_closes_all():
    envs = [Race("close"), Race()]
    env = coterie.wrap_env(envs)
    with pytest.raises(ValueError, match="the gate is stuck"):
        env.close()
    assert [one.closed for one in envs] == [1, 1]
    env.close()
    assert [one.closed for one in envs] == [1, 1]


def test_makers_that_fail_in_a_process():
    here = os.getpid()

    def make():
        if os.getpid() != here:
            raise LookupError("no track")
        return Race()

    with pytest.raises(LookupError, match="no track") as caught:
        PettingZooEnv([make], name="race", vectorization="async")
    assert "in make" in str(caught.value.__cause__)
    lock = threading.Lock()
    with pytest.raises(ConfigError, match="can't be sent to another process"):
        PettingZooEnv([lambda: Race(str(lock)[:0])], name="race", vectorization="async")


def test_one_seed_is_spread_and_none_goes_on():
    env = race(3, seed=7)
    first, _ = env.reset()
    assert torch.equal(first["hare"], env.reset(seed=[7, 8, 9])[0]["hare"])
    assert not torch.equal(first["hare"], env.reset()[0]["hare"])


def test_only_masked_instances_are_reset():
    for vectorization in ("sync", "async"):
        env = race(3, vectorization=vectorization)
        run(env, 2)
        observed, _ = env.reset(options={"reset_mask": torch.tensor([False, True, False])})
        assert observed["tortoise"][:, 0].tolist() == [2, 0, 2]
        assert env.state()[:, 1].tolist() == [2, 0, 2]
        env.close()


def test_frames_are_stacked():
    for vectorization in ("sync", "async"):
        makers = [partial(Race, render_mode="rgb_array")] * 2
        env = PettingZooEnv(makers, vectorization=vectorization)
        env.reset(seed=0)
        env.step(actions_of(env, 2, 0))
        assert env.render().shape == (2, 2, 3, 3)
        assert env.render().mean() == 1
        env.close()
    assert race(1).render() is None


def test_the_state_can_be_left_out():
    env = race(1, use_state=False)
    env.reset()
    assert env.state_space is None
    assert env.state() is None
    assert race(1).state_space.shape == (2,)


def test_objects_classes_and_functions_are_wrapped():
    assert coterie.wrap_env(Race()).name == "pettingzoo:race_v0"
    assert coterie.wrap_env([Race, Race]).num_envs == 2
    env = coterie.wrap_env(lambda: Race(), "pettingzoo")
    assert (env.num_envs, env.actors) == (1, ("hare", "tortoise", "judge"))
    assert env.autoreset_mode is AutoresetMode.DISABLED
    one = Race()
    with pytest.raises(ConfigError, match="another object for each instance"):
        coterie.wrap_env([one, one])
    with pytest.raises(ConfigError, match=r"no environment of PettingZoo's parallel API"):
        coterie.wrap_env(3, "pettingzoo")


def test_copies_that_differ_are_refused():
    class Other(Race):
        possible_agents = ["hare", "judge", "tortoise"]  # noqa: RUF012

    with pytest.raises(ConfigError, match="instance 1 has other actors or spaces than the first"):
        PettingZooEnv([Race, Other], name="race")


@pytest.mark.parametrize(
    ("env_id", "settings", "message"),
    [
        ("mpe2/simple_spred_v3", {}, "did you mean 'pettingzoo:mpe2/simple_spread_v3'"),
        ("mpe2/simple_spread_v9", {}, "did you mean 'pettingzoo:mpe2/simple_spread_v3'"),
        ("simple_spread_v3", {}, "there is no module 'simple_spread_v3'; "),
        ("no_such_package.env", {}, "there is no module 'no_such_package.env'; write FAMILY/NAME"),
        ("os", {}, "has neither parallel_env nor env"),
        ("mpe2.simple_spread_v3:paralel_env", {}, "did you mean 'parallel_env'"),
        ("mpe2/simple_spread_v3", {"max_cycle": 3}, "no setting 'max_cycle'; did you mean"),
        ("mpe2/simple_spread_v3", {"vectorization": "asinc"}, "did you mean 'async'"),
        ("mpe2/simple_spread_v3", {"workers": 2}, "only vectorization='async' has processes"),
        ("mpe2/simple_spread_v3", {"workers": 0, "vectorization": "async"}, "at least 1"),
        ("mpe2/simple_spread_v3", {"num_envs": 0}, "num_envs = 0: expected"),
        ("mpe2/simple_spread_v3", {"N": "x"}, "could not be made: TypeError"),
    ],
)
def test_wrong_arguments_are_explained(env_id, settings, message):
    with pytest.raises(ConfigError, match=message):
        PettingZooAdapter().make(env_id, **settings)


def test_games_in_turn_are_refused():
    from pettingzoo.utils.env import AECEnv

    class Chess(AECEnv):
        metadata = {"name": "chess"}  # noqa: RUF012

    with pytest.raises(ConfigError, match="its actors act one after the other"):
        coterie.wrap_env(Chess())


def test_ids_are_listed_and_newest_versions_found():
    ids = PettingZooAdapter().ids()
    assert ids == sorted(ids)
    assert {"mpe2/simple_spread_v3", "mpe2/simple_tag_v3"} <= set(ids)
    env = PettingZooAdapter().make("mpe2/simple_spread", num_envs=1, N=2)
    assert env.actors == ("agent_0", "agent_1")
    assert PettingZooAdapter().make("mpe2.simple_v3").actors == ("agent_0",)


def test_misuse_is_explained():
    env = race(2)
    with pytest.raises(EnvContractError, match=r"call reset\(\) first"):
        env.step(actions_of(env, 2, 0))
    with pytest.raises(EnvContractError, match=r"call reset\(\) without a mask"):
        env.reset(options={"reset_mask": torch.ones(2, dtype=torch.bool)})
    env.reset()
    with pytest.raises(ValueError, match=r"expected bool \(2,\)"):
        env.reset(options={"reset_mask": torch.ones(3, dtype=torch.bool)})
    with pytest.raises(ValueError, match="expected 2 seeds"):
        env.reset(seed=[1])
    with pytest.raises(ValueError, match=r"actions.tortoise: expected a tensor \(2,\)"):
        env.step({"hare": torch.zeros(2, 2)})
    with pytest.raises(ValueError, match=r"actions.hare: expected \(2, 2\), got \(1, 2\)"):
        env.step({**actions_of(env, 2, 0), "hare": torch.zeros(1, 2)})


def train(trainer: str, vectorization: str) -> list[dict]:
    env = race(4, vectorization=vectorization)
    teams = agents_for(env, SumTeam, SumTeam)
    with coterie.make_trainer(
        trainer, env=env, agents=teams, cfg={"timesteps": 30, "disable_progressbar": True}
    ) as made:
        made.train()
    env.close()
    return [team.state_dict() for team in teams]


def test_teams_learn_the_same_in_turn_and_in_processes():
    assert_same_state(train("sequential", "sync"), train("sequential", "async"))


def test_teams_learn_the_same_in_parallel():
    pytest.importorskip("coterie_backends_mp")
    assert_same_state(train("sequential", "sync"), train("parallel", "sync"))

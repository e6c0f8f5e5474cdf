"""Telling a run that is under way what to do, from other threads."""

import json
import threading
import time

import pytest

from coterie import ConfigError, SequentialTrainer, TrainerStateError, WorkerError
from coterie.testing import CountingEnv, RaisingAgent, SumAgent, agents_for, assert_same_state

QUIET = {"disable_progressbar": True}


class Waiting(CountingEnv):
    """Tells when it has come to a step, and waits there until it is let go."""

    def __init__(self, num_envs, *stops):
        super().__init__(num_envs)
        self._count, self._stops = 0, set(stops)
        self.there, self.go = threading.Event(), threading.Event()

    def step(self, actions):
        self._count += 1
        if self._count in self._stops:
            self.there.set()
            assert self.go.wait(30)
            self.go.clear()
            self.there.clear()
        return super().step(actions)


class Runs:
    """A run in a thread, which a test steers step by step."""

    def __init__(self, *stops, steps=20, kinds=(SumAgent,) * 3, **more):
        self.env = Waiting(2 * len(kinds), *stops)
        agents = more.pop("agents", None) or agents_for(self.env, *kinds)
        cfg = {"timesteps": steps, **QUIET, **more.pop("cfg", {})}
        self.trainer = SequentialTrainer(env=self.env, agents=agents, cfg=cfg, **more)
        self.summary = self.error = None
        self._thread = threading.Thread(target=self._train, daemon=True)

    def _train(self):
        try:
            self.summary = self.trainer.train()
        except BaseException as error:
            self.error = error

    def start(self):
        self._thread.start()
        return self.until_there()

    def until_there(self):
        assert self.env.there.wait(30)
        return self

    def go(self):
        self.env.there.clear()
        self.env.go.set()

    def finish(self):
        self.go()
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.summary

    def lineage(self):
        return [json.loads(line) for line in self.trainer._controllers.journal.lines]


def undisturbed(steps=20, count=3):
    env = CountingEnv(2 * count)
    agents = agents_for(env, *[SumAgent] * count)
    SequentialTrainer(env=env, agents=agents, cfg={"timesteps": steps, **QUIET}).train()
    return agents


def test_settings_change_between_two_timesteps():
    run = Runs(8).start()
    steering = run.trainer.steering
    changed = steering.set("sum-1", {"scale": 2.5})
    refused = [
        steering.set("sum-1", {"scael": 2.5}),
        steering.set("sum-7", {"scale": 2.5}),
        steering.resume(),
        steering.checkpoint(),
    ]
    assert not changed.done()
    run.finish()
    assert changed.result(1) == "sum-1 after step 8: scale from 1.0 to 2.5"
    for future, words in zip(
        refused,
        ("did you mean 'scale'", "no member 'sum-7'", "not paused", "no checkpoints"),
        strict=True,
    ):
        with pytest.raises(ConfigError, match=words):
            future.result(1)
    assert [agent.cfg.scale for agent in run.trainer.agents] == [1.0, 2.5, 1.0]
    for index in (0, 2):
        assert_same_state(run.trainer.agents[index].state_dict(), undisturbed()[index].state_dict())
    (entry,) = run.lineage()
    assert entry == {
        "timestep": 8,
        "by": "steering",
        "event": "settings",
        "member": "sum-1",
        "before": {"scale": 1.0},
        "after": {"scale": 2.5},
        "note": "by hand",
    }


def test_a_run_waits_and_goes_on_as_if_nothing_had_been():
    run = Runs(8, 12).start()
    steering = run.trainer.steering
    first, again = steering.pause(), steering.pause()
    run.go()
    assert first.result(10) == "paused after step 8"
    with pytest.raises(ConfigError, match="paused already"):
        again.result(10)
    assert steering.paused
    time.sleep(0.2)
    assert run.env._count == 8
    assert steering.set("sum-0", {"scale": 1.0}).result(10)  # a paused run does what it is told
    assert steering.resume().result(10) == "goes on after step 8"
    run.until_there()
    assert not steering.paused
    run.finish()
    for left, right in zip(undisturbed(), run.trainer.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())
    assert [entry["event"] for entry in run.lineage()] == ["pause", "settings", "resume"]


def test_a_member_is_stopped():
    run = Runs(8, 10).start()
    stopped, again = (run.trainer.steering.stop("sum-2") for _ in range(2))
    run.go()
    assert stopped.result(10) == "sum-2 is stopped after step 8"
    with pytest.raises(ConfigError, match="it is stopped"):
        again.result(10)
    run.until_there()
    summary = run.finish()
    assert [member.status for member in summary.members] == ["trained", "trained", "stopped"]
    assert "by hand" in summary.members[2].stopped
    assert_same_state(run.trainer.agents[2].state_dict(), undisturbed(8)[2].state_dict())
    assert_same_state(run.trainer.agents[0].state_dict(), undisturbed()[0].state_dict())


def test_a_run_whose_last_member_is_stopped_ends():
    run = Runs(8, kinds=(SumAgent,)).start()
    paused, stopped = run.trainer.steering.pause(), run.trainer.steering.stop("sum-0")
    assert run.finish().timesteps == 8
    assert paused.result(1)
    assert stopped.result(1)


def test_a_checkpoint_to_go_on_from(tmp_path):
    run = Runs(8, run_dir=tmp_path / "run").start()
    asked = run.trainer.steering.checkpoint()
    run.finish()
    path = asked.result(1).removeprefix("checkpoint ")
    assert path.endswith("step-000000000008")
    env = CountingEnv(6)
    trainer = SequentialTrainer(
        env=env, agents=agents_for(env, *[SumAgent] * 3), cfg={"timesteps": 20, **QUIET}
    )
    assert trainer.resume(path) == 8
    trainer.train()
    for left, right in zip(trainer.agents, run.trainer.agents, strict=True):
        assert_same_state(left.state_dict(), right.state_dict())


def test_who_comes_too_late_is_told_so():
    run = Runs(20).start()
    late = run.trainer.steering.set("sum-0", {"scale": 3.0})
    run.finish()
    with pytest.raises(TrainerStateError, match="the run has ended"):
        late.result(1)
    with pytest.raises(TrainerStateError, match="no run under way"):
        run.trainer.steering.pause()
    with pytest.raises(ConfigError, match="needs settings"):
        run.trainer.steering.set("sum-0", {})


def test_many_threads_at_once():
    run = Runs(4, 15).start()
    steering, futures = run.trainer.steering, []

    def ask(index):
        futures.extend(steering.set(f"sum-{index % 3}", {"scale": 1.0 + n}) for n in range(20))

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    run.go()
    for thread in threads:
        thread.join(10)
    run.until_there()
    run.finish()
    assert len([future.result(1) for future in futures]) == 160
    assert len(run.lineage()) == 160
    now = {}
    for entry in run.lineage():
        assert entry["before"] == now.get(entry["member"], {"scale": 1.0})
        now[entry["member"]] = entry["after"]
    assert {name: {"scale": agent.cfg.scale} for name, agent in zip(
        ("sum-0", "sum-1", "sum-2"), run.trainer.agents, strict=True
    )} == now  # fmt: skip


class Touchy(SumAgent):
    """Falls over when it is told something."""

    def reconfigure(self, settings):
        raise RuntimeError("out of ideas")


@pytest.mark.parametrize("on_member_failure", ["raise", "continue"])
def test_a_member_that_falls_over(on_member_failure):
    run = Runs(8, kinds=(SumAgent, Touchy), cfg={"on_member_failure": on_member_failure}).start()
    asked = run.trainer.steering.set("sum-1", {"scale": 2.0})
    run.finish()
    if on_member_failure == "raise":
        assert isinstance(run.error, WorkerError)
        with pytest.raises(WorkerError, match="out of ideas"):
            asked.result(1)
    else:
        assert [member.status for member in run.summary.members] == ["trained", "failed"]
        with pytest.raises(ConfigError, match=r"sum-1 failed.*out of ideas"):
            asked.result(1)


def test_a_failed_member_can_not_be_told_anything():
    env = CountingEnv(4)
    agents = agents_for(env, SumAgent, SumAgent)
    agents[1] = RaisingAgent(
        observation_space=env.observation_space,
        action_space=env.action_space,
        cfg={"phase": "act", "at": 3},
    )
    run = Runs(8, kinds=(SumAgent,) * 2, agents=agents, cfg={"on_member_failure": "continue"})
    run.start()
    asked = run.trainer.steering.set("raising-1", {"scale": 2.0})
    run.finish()
    with pytest.raises(ConfigError, match="it is failed"):
        asked.result(1)

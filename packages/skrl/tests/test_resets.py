"""Steps that only reset an instance (next-step autoreset): no experience for any agent."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from skrl.envs.wrappers.torch import wrap_env
from skrl.utils import set_seed

import coterie
from coterie.testing import CountingEnv
from coterie_skrl import SequentialTrainer, adapt

ACTIONS = {
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "discrete": spaces.Discrete(4),
}
DISCOUNT, LAMBDA = 0.99, 0.95


def cfg(timesteps, **settings):
    return {"timesteps": timesteps, "headless": True, "disable_progressbar": True, **settings}


def counting(zoo, kind, **settings):
    """Observes stream, episode and step, and rewards steps that only reset with 1000."""
    settings = {"autoreset_mode": AutoresetMode.NEXT_STEP, "reset_reward": 1000.0, **settings}
    return CountingEnv(4, action_space=ACTIONS[zoo.actions_of(kind)], **settings)


def train(zoo, kind, folder, timesteps, env=None, **changes):
    set_seed(3)
    env = env or counting(zoo, kind)
    agent = zoo.make_agent(kind, env, 4, folder, observation_preprocessor=None, **changes)
    member = adapt(agent, seed=3)
    trainer = coterie.make_trainer("step", env=env, agents=member, cfg=cfg(timesteps))
    steps = [trainer.train() for _ in range(timesteps)]
    return agent, member, steps


@pytest.mark.parametrize("kind", ["ddpg", "td3", "sac", "dqn", "ddqn"])
@pytest.mark.parametrize("timesteps", [23, 60])
def test_a_replay_memory_holds_transitions_only(kind, timesteps, zoo, tmp_path):
    agent, _, steps = train(zoo, kind, tmp_path, timesteps, learning_starts=1000)
    memory = agent.memory
    seen = sum(int(step.valid.sum()) for step in steps)
    assert seen < 4 * timesteps
    assert len(memory) == min(seen, 160)
    rows = {name: tensor[: len(memory)] for name, tensor in memory.tensors_view.items()}
    before, after = rows["observations"], rows["next_observations"]
    assert torch.equal(before[:, :2], after[:, :2])  # of one instance, of one episode
    assert torch.equal(before[:, 2] + 1, after[:, 2])
    assert bool((rows["rewards"] < 900).all())
    recent = torch.cat([step.next_observations[step.valid] for step in steps])[-len(memory) :]
    assert sorted(after.tolist()) == sorted(recent.tolist())


def reference(rewards, values, terminated, valid, last_values):
    """Advantages of one instance, without the steps that only reset it: plain Python floats."""
    kept = [step for step in range(len(rewards)) if valid[step]]
    advantages, advantage = {}, 0.0
    for step in reversed(range(len(rewards))):
        if not valid[step]:
            advantage = 0.0
            continue
        following = values[step + 1] if step + 1 < len(rewards) else last_values
        going_on = 0.0 if terminated[step] else 1.0
        advantage = (
            rewards[step] - values[step] + DISCOUNT * going_on * (following + LAMBDA * advantage)
        )
        advantages[step] = advantage
    return kept, advantages


@pytest.mark.parametrize("kind", ["ppo", "a2c", "rpo", "trpo"])
def test_a_rollout_learns_from_transitions_only(kind, zoo, tmp_path):
    """Advantages are computed by hand, and minibatches hold each transition once."""
    sampled = []
    set_seed(3)
    env = counting(zoo, kind)
    plain = {"observation_preprocessor": None, "value_preprocessor": None}
    if kind == "ppo":
        plain["time_limit_bootstrap"] = False
    agent = zoo.make_agent(kind, env, 4, tmp_path, **plain)
    update, noted = agent.update, {}

    def spy(**when):
        memory = agent.memory
        noted["before"] = {name: part.clone() for name, part in memory.tensors.items()}
        inputs = {"observations": agent._current_next_observations, "states": None}
        with torch.no_grad():
            noted["last"] = agent.value.act(inputs, role="value")[0].flatten()
        sample = memory.sample_by_index

        def note(names, *, indexes, mini_batches=1):
            found = sample(names, indexes=indexes, mini_batches=mini_batches)
            if "advantages" in names:
                sampled.append([dict(zip(names, batch, strict=True)) for batch in found])
            return found

        memory.sample_by_index = note
        update(**when)
        memory.sample_by_index = sample
        noted["advantages"] = memory.tensors["advantages"].clone()

    agent.update = spy
    trainer = coterie.make_trainer("step", env=env, agents=adapt(agent, seed=3), cfg=cfg(8))
    valid = torch.stack([trainer.train().valid for _ in range(8)])
    assert not bool(valid.all())
    rows = noted["before"]
    expected = torch.zeros(8, 4, dtype=torch.float64)
    for column in range(4):
        series = [rows[name][:, column, 0].tolist() for name in ("rewards", "values", "terminated")]
        _, found = reference(*series, valid[:, column].tolist(), float(noted["last"][column]))
        for step, value in found.items():
            expected[step, column] = value
    kept = expected[valid]
    expected = (expected - kept.mean()) / (kept.std() + 1e-8) * valid
    assert torch.allclose(noted["advantages"][..., 0].double(), expected, atol=1e-5)
    for batches in sampled:
        seen = torch.cat([batch["observations"] for batch in batches])
        true = rows["observations"][valid]
        assert sorted(seen.tolist()) == sorted(true.tolist())
        assert abs(float(torch.cat([batch["advantages"] for batch in batches]).mean())) < 1e-5


@pytest.mark.parametrize("kind", ["ppo", "a2c", "trpo"])
def test_statistics_of_values_count_transitions_only(kind, zoo, tmp_path):
    """Values and returns of each transition count once, beside the one that skrl begins with."""
    agent, _, steps = train(zoo, kind, tmp_path, 8)
    count = sum(int(step.valid.sum()) for step in steps)
    assert count < 32
    assert float(agent._value_preprocessor.current_count) == 1 + 2 * count


@pytest.mark.parametrize("kind", ["ppo", "a2c", "td3", "dqn", "sac", "q_learning", "ppo_rnn"])
def test_what_a_reset_step_pretends_to_be_changes_nothing(kind, zoo, tmp_path):
    """Whatever reward and action it comes with; q_learning has no memory at all."""
    ends = []
    for reward in (0.0, 1000.0):
        set_seed(3)
        table = kind == "q_learning"
        env = TableEnv(reward) if table else counting(zoo, kind, reset_reward=reward)
        agent = zoo.make_agent(kind, env, 4, tmp_path)
        coterie.make_trainer(
            "sequential", env=env, agents=adapt(agent, seed=3), cfg=cfg(30)
        ).train()
        ends.append(zoo.everything(agent))
    assert zoo.differences(*ends) == []


class TableEnv(CountingEnv):
    """Observes the number of the step alone."""

    def __init__(self, reward):
        super().__init__(
            4,
            action_space=spaces.Discrete(4),
            autoreset_mode=AutoresetMode.NEXT_STEP,
            reset_reward=reward,
        )
        self.observation_space = spaces.Discrete(7)

    def _observe(self):
        return self._places()[:, 2].long().clamp(max=6)


def test_episode_lengths_and_returns_leave_them_out(zoo, tmp_path):
    """An episode of the environment has 3 to 8 steps; its rewards are 1, 2, ... and the action."""
    env = counting(zoo, "dqn")
    agent, _, steps = train(zoo, "dqn", tmp_path, 30, env=env, write=1000)
    lengths, rewards = agent._track_timesteps, agent._track_rewards
    ended = sum(int(step.done.sum()) for step in steps)
    assert len(lengths) == ended > 5
    total, count, found = torch.zeros(4), torch.zeros(4), []
    for step in steps:
        total += step.rewards * step.valid
        count += step.valid
        for row in step.done.nonzero().flatten().tolist():
            found.append((float(total[row]), int(count[row])))
            total[row] = count[row] = 0
    assert [
        (reward, length) for (reward,), (length,) in zip(rewards, lengths, strict=True)
    ] == found


def test_gymnasium_s_own_vectorised_cartpole(zoo, tmp_path):
    """It resets in the next step and can't reset single instances."""
    set_seed(3)
    made = gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="vector_entry_point")
    env = wrap_env(made, verbose=False)
    env.action_space.seed(7)
    agent = zoo.make_agent_on_cartpole(env, tmp_path)
    trainer = SequentialTrainer(env=env, agents=agent, cfg=cfg(60))
    assert trainer.trainer.env.autoreset_mode is AutoresetMode.NEXT_STEP
    trainer.train()
    memory = agent.memory
    assert 160 < len(memory) < 240
    rows = {name: tensor[: len(memory)] for name, tensor in memory.tensors_view.items()}
    moved = rows["next_observations"][:, 0] - rows["observations"][:, 0]
    expected = 0.02 * rows["observations"][:, 1]  # Euler's method, as CartPole has it
    assert torch.allclose(moved, expected, atol=1e-5)
    assert bool((rows["rewards"] == 1).all())


def test_gymnasium_s_instances_are_reset_at_once(zoo, tmp_path):
    """Its own vector environments can reset single instances: no step is lost."""
    ends = []
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        set_seed(3)
        env = zoo.make_env("ppo", mode=mode)
        agent = zoo.make_agent("ppo", env, 4, tmp_path)
        SequentialTrainer(env=env, agents=agent, cfg=cfg(30)).train()
        ends.append(zoo.everything(agent))
    assert zoo.differences(*ends) == []

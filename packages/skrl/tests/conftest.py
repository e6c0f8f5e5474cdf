"""Small agents of every kind that skrl has, on small environments."""

import math
from types import SimpleNamespace

import gymnasium
import numpy as np
import psutil
import pytest
import skrl
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from skrl.agents.torch.a2c import A2C, A2C_CFG, A2C_RNN
from skrl.agents.torch.amp import AMP, AMP_CFG
from skrl.agents.torch.cem import CEM, CEM_CFG
from skrl.agents.torch.ddpg import DDPG, DDPG_CFG, DDPG_RNN
from skrl.agents.torch.ddqn import DDQN, DDQN_CFG
from skrl.agents.torch.dqn import DQN, DQN_CFG
from skrl.agents.torch.ppo import PPO, PPO_CFG, PPO_RNN
from skrl.agents.torch.q_learning import Q_LEARNING, Q_LEARNING_CFG
from skrl.agents.torch.rpo import RPO, RPO_CFG, RPO_RNN
from skrl.agents.torch.sac import SAC, SAC_CFG, SAC_RNN
from skrl.agents.torch.sarsa import SARSA, SARSA_CFG
from skrl.agents.torch.td3 import TD3, TD3_CFG, TD3_RNN
from skrl.agents.torch.trpo import TRPO, TRPO_CFG, TRPO_RNN
from skrl.envs.wrappers.torch import MultiAgentEnvWrapper, wrap_env
from skrl.envs.wrappers.torch.gymnasium_envs import GymnasiumWrapper
from skrl.memories.torch import Memory, RandomMemory
from skrl.models.torch import (
    CategoricalMixin,
    DeterministicMixin,
    GaussianMixin,
    Model,
    TabularMixin,
)
from skrl.multi_agents.torch.ippo import IPPO, IPPO_CFG
from skrl.multi_agents.torch.mappo import MAPPO, MAPPO_CFG
from skrl.resources.noises.torch import GaussianNoise, OrnsteinUhlenbeckNoise
from skrl.resources.preprocessors.torch import RunningStandardScaler
from skrl.resources.schedulers.torch import KLAdaptiveLR
from torch import nn

skrl.logger.setLevel("ERROR")

SEQUENCE = 4
ROLLOUT = 8
CRITICS = ("critic_1", "critic_2", "target_critic_1", "target_critic_2")


class Walk(gymnasium.Env):
    """A walk in the plane, ended at its border or after some steps; or along seven cells."""

    def __init__(self, actions="box", steps=9):
        self.steps, self.table = steps, actions == "table"
        low = -np.ones(3, np.float32) * 9
        self.observation_space = spaces.Discrete(7) if self.table else spaces.Box(low, -low)
        box = spaces.Box(-np.ones(2, np.float32), np.ones(2, np.float32))
        self.action_space = box if actions == "box" else spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time = self.np_random.uniform(-0.5, 0.5, 2), 0
        return self.observe(), {}

    def observe(self):
        if self.table:
            return int(np.clip(np.round(self.place.sum() * 2), -3, 3)) + 3
        return np.array([*self.place, self.time / self.steps], np.float32)

    def step(self, action):
        if isinstance(self.action_space, spaces.Discrete):
            action = [(1, 0), (-1, 0), (0, 1), (0, -1)][int(action)]
        self.place = self.place + 0.4 * np.asarray(action, np.float64).reshape(2)
        self.time += 1
        reward = 1.0 - float(np.abs(self.place).sum())
        over = bool(np.abs(self.place).max() > 1)
        return self.observe(), reward, over, self.time >= self.steps and not over, {}


class StyledWrapper(GymnasiumWrapper):
    """Tells what AMP's discriminator looks at."""

    amp_observation_space = spaces.Box(-9, 9, (2,))

    def step(self, actions):
        observations, *outcome, infos = super().step(actions)
        infos = {**infos, "amp_obs": observations[:, :2] * 2}
        return observations, *outcome, infos


class StatefulVectorEnv(SyncVectorEnv):
    """Has a privileged observation."""

    state_space = spaces.Box(-9, 9, (4,))

    def state(self):
        places = np.stack([env.place for env in self.envs])
        return np.concatenate([places, -places], 1).astype(np.float32)


class Net(Model):
    """A small network; recurrent where it has a number of instances."""

    def __init__(self, env, inputs, outputs, envs=0, state=False):
        Model.__init__(
            self,
            observation_space=env.observation_space,
            state_space=env.state_space,
            action_space=env.action_space,
            device=env.device,
        )
        self.state, self.envs = state, envs
        inputs = inputs + (self.num_states if state else 0)
        self.rnn = nn.GRU(inputs, 6, batch_first=True) if envs else None
        self.net = nn.Sequential(nn.Linear(6 if envs else inputs, 8), nn.Tanh())
        self.head = nn.Linear(8, outputs)

    def get_specification(self):
        if not self.envs:
            return {}
        return {"rnn": {"sequence_length": SEQUENCE, "sizes": [(1, self.envs, 6)]}}

    def pass_on(self, inputs, values):
        if self.state:
            values = torch.cat([values, inputs["states"]], -1)
        if self.rnn is None:
            return self.head(self.net(values)), {}
        hidden = inputs["rnn"][0]
        if self.training:
            values = values.view(-1, SEQUENCE, values.shape[-1])
            hidden = hidden.view(1, -1, SEQUENCE, hidden.shape[-1])[:, :, 0].contiguous()
        else:
            values = values.view(-1, 1, values.shape[-1])
        found, hidden = self.rnn(values, hidden)
        return self.head(self.net(found.flatten(0, 1))), {"rnn": [hidden]}


class Gaussian(GaussianMixin, Net):
    def __init__(self, env, envs=0):
        size = spaces.flatdim(env.action_space)
        Net.__init__(self, env, spaces.flatdim(env.observation_space), size, envs)
        GaussianMixin.__init__(self)
        self.log_std = nn.Parameter(-torch.ones(size))

    def compute(self, inputs, role=""):
        mean, outputs = self.pass_on(inputs, inputs["observations"])
        return mean, {"log_std": self.log_std, **outputs}


class Categorical(CategoricalMixin, Net):
    def __init__(self, env):
        Net.__init__(self, env, spaces.flatdim(env.observation_space), env.action_space.n)
        CategoricalMixin.__init__(self)

    def compute(self, inputs, role=""):
        return self.pass_on(inputs, inputs["observations"])


class Deterministic(DeterministicMixin, Net):
    def __init__(self, env, inputs=None, outputs=1, envs=0, state=False):
        inputs = spaces.flatdim(env.observation_space) if inputs is None else inputs
        Net.__init__(self, env, inputs, outputs, envs, state)
        DeterministicMixin.__init__(self)

    def compute(self, inputs, role=""):
        given = [inputs["observations"]]
        if role.find("critic") >= 0:
            given.append(inputs["taken_actions"])
        return self.pass_on(inputs, torch.cat(given, -1))


class Table(TabularMixin, Model):
    def __init__(self, env, epsilon=0.2):
        Model.__init__(
            self,
            observation_space=env.observation_space,
            action_space=env.action_space,
            device=env.device,
        )
        TabularMixin.__init__(self)
        self.epsilon = epsilon
        self.table = nn.Parameter(torch.zeros(7, 4), requires_grad=False)

    def compute(self, inputs, role=""):
        best = self.table[inputs["observations"].view(-1)].argmax(-1, keepdim=True)
        other = torch.randint(4, best.shape)
        return torch.where(torch.rand(best.shape) < self.epsilon, other, best), {}


def slower(epoch):
    return 0.9**epoch


def less_and_less(timestep, timesteps):
    return max(0.1, 1 - timestep / 40)


def motions(count):
    return torch.randn(count, 2)


NOISE = {
    "gaussian": (GaussianNoise, {"mean": 0, "std": 0.1}),
    "ou": (OrnsteinUhlenbeckNoise, {"theta": 0.15, "sigma": 0.2, "base_scale": 0.5}),
}
STEP_LR = (torch.optim.lr_scheduler.StepLR, {"step_size": 2, "gamma": 0.8})
LAMBDA_LR = (torch.optim.lr_scheduler.LambdaLR, {"lr_lambda": slower})
KL_LR = (KLAdaptiveLR, {"kl_threshold": 0.008})

ON_POLICY = {
    "a2c": (A2C, A2C_CFG, LAMBDA_LR),
    "ppo": (PPO, PPO_CFG, KL_LR),
    "rpo": (RPO, RPO_CFG, KL_LR),
    "trpo": (TRPO, TRPO_CFG, STEP_LR),
    "a2c_rnn": (A2C_RNN, A2C_CFG, STEP_LR),
    "ppo_rnn": (PPO_RNN, PPO_CFG, KL_LR),
    "rpo_rnn": (RPO_RNN, RPO_CFG, LAMBDA_LR),
    "trpo_rnn": (TRPO_RNN, TRPO_CFG, STEP_LR),
}
OFF_POLICY = {
    "ddpg": (DDPG, DDPG_CFG, STEP_LR),
    "td3": (TD3, TD3_CFG, LAMBDA_LR),
    "sac": (SAC, SAC_CFG, STEP_LR),
    "ddpg_rnn": (DDPG_RNN, DDPG_CFG, LAMBDA_LR),
    "td3_rnn": (TD3_RNN, TD3_CFG, STEP_LR),
    "sac_rnn": (SAC_RNN, SAC_CFG, STEP_LR),
}
VALUES = {"dqn": (DQN, DQN_CFG), "ddqn": (DDQN, DDQN_CFG)}
TABLES = {"q_learning": (Q_LEARNING, Q_LEARNING_CFG), "sarsa": (SARSA, SARSA_CFG)}
SINGLE = (*ON_POLICY, *OFF_POLICY, *VALUES, *TABLES, "cem", "amp", "ppo_states", "ppo_discrete")
TEAMS = {"ippo": (IPPO, IPPO_CFG), "mappo": (MAPPO, MAPPO_CFG)}


def actions_of(kind):
    if kind in TABLES:
        return "table"
    return "discrete" if kind in (*VALUES, "cem", "ppo_discrete") else "box"


def make_env(kind="ppo", num_envs=4, mode=AutoresetMode.SAME_STEP, steps=9):
    """Make an environment that an agent of a kind can learn in, in skrl's wrapper."""
    actions = actions_of(kind)
    made = StatefulVectorEnv if kind == "ppo_states" else SyncVectorEnv
    env = made([lambda: Walk(actions, steps) for _ in range(num_envs)], autoreset_mode=mode)
    wrapped = StyledWrapper(env) if kind == "amp" else wrap_env(env, verbose=False)
    wrapped.action_space.seed(7)
    return wrapped


def experiment(folder, name="", write=10, checkpoint=20):
    return {
        "directory": str(folder),
        "experiment_name": name,
        "write_interval": write,
        "checkpoint_interval": checkpoint,
    }


def _rates(rate, schedule, **settings):
    kind, arguments = schedule
    return {
        "learning_rate": rate,
        "learning_rate_scheduler": kind,
        "learning_rate_scheduler_kwargs": arguments,
        **settings,
    }


def _scaled(env):
    return {
        "observation_preprocessor": RunningStandardScaler,
        "observation_preprocessor_kwargs": {"size": env.observation_space},
    }


def _value_scaled():
    return {
        "value_preprocessor": RunningStandardScaler,
        "value_preprocessor_kwargs": {"size": 1},
    }


def _on_policy(kind, env, envs):
    rnn = envs if kind.endswith("_rnn") else 0
    made, cfg, schedule = ON_POLICY[kind.removesuffix("_states").removesuffix("_discrete")]
    discrete = isinstance(env.action_space, spaces.Discrete)
    policy = Categorical(env) if discrete else Gaussian(env, rnn)
    models = {
        "policy": policy,
        "value": Deterministic(env, envs=rnn, state=kind == "ppo_states"),
    }
    settings = _rates(1e-2, schedule, rollouts=ROLLOUT, **_scaled(env), **_value_scaled())
    if not kind.startswith("trpo"):
        settings["entropy_loss_scale"] = 0.01
    if kind in ("ppo", "a2c_rnn", "ppo_rnn"):
        settings["time_limit_bootstrap"] = True
    settings["mini_batches"] = 2
    if not kind.startswith("a2c"):
        settings["learning_epochs"] = 2
    return made, cfg, models, settings, ROLLOUT


def _off_policy(kind, env, envs):
    rnn = envs if kind.endswith("_rnn") else 0
    made, cfg, schedule = OFF_POLICY[kind]
    critics = ("critic", "target_critic") if kind.startswith("ddpg") else CRITICS
    models = {name: Deterministic(env, 5, 1, rnn) for name in critics}
    settings = _rates(1e-2, schedule, batch_size=16, learning_starts=12, **_scaled(env))
    settings["random_timesteps"] = 0 if rnn else 5  # with both, skrl's agents raise
    if kind.startswith("sac"):
        models["policy"] = Gaussian(env, rnn)
        settings["learn_entropy"] = True
    else:
        models["policy"] = Deterministic(env, 3, 2, rnn)
        models["target_policy"] = Deterministic(env, 3, 2, rnn)
        noise, arguments = NOISE["ou" if kind.startswith("ddpg") else "gaussian"]
        settings |= {"exploration_noise": noise, "exploration_noise_kwargs": arguments}
    if kind.startswith("td3"):
        noise, arguments = NOISE["gaussian"]
        settings["smooth_regularization_noise"] = noise
        settings["smooth_regularization_noise_kwargs"] = arguments
        settings["policy_delay"] = 2
    return made, cfg, models, settings, 40


def _value_based(kind, env):
    made, cfg = VALUES[kind]
    count = env.action_space.n
    models = {name: Deterministic(env, 3, count) for name in ("q_network", "target_q_network")}
    settings = _rates(1e-2, LAMBDA_LR, batch_size=16, random_timesteps=5, learning_starts=12)
    settings |= {"exploration_scheduler": less_and_less, "target_update_interval": 7}
    return made, cfg, models, settings | _scaled(env), 40


def _parts(kind, env, envs):
    if kind in OFF_POLICY:
        return _off_policy(kind, env, envs)
    if kind in VALUES:
        return _value_based(kind, env)
    if kind in TABLES:
        made, cfg = TABLES[kind]
        settings = {"learning_rate": 0.1, "random_timesteps": 5, "learning_starts": 3}
        return made, cfg, {"policy": Table(env)}, settings, None
    if kind == "cem":
        settings = _rates(1e-2, STEP_LR, rollouts=24, percentile=0.5, **_scaled(env))
        return CEM, CEM_CFG, {"policy": Categorical(env)}, settings, 24
    if kind == "amp":
        models = {"policy": Gaussian(env), "value": Deterministic(env)}
        models["discriminator"] = Deterministic(env, 2)
        settings = _rates(1e-2, KL_LR, rollouts=ROLLOUT, learning_epochs=2, mini_batches=2)
        settings |= {"amp_batch_size": 8, "task_reward_scale": 0.5, **_scaled(env)}
        settings["amp_observation_preprocessor"] = RunningStandardScaler
        settings["amp_observation_preprocessor_kwargs"] = {"size": env.amp_observation_space}
        return AMP, AMP_CFG, models, settings | _value_scaled(), ROLLOUT
    return _on_policy(kind, env, envs)


def make_agent(kind, env, envs, folder, *, name="", write=10, checkpoint=20, **changes):
    """Make one of skrl's agents, small, with whatever its kind can have."""
    if kind in TEAMS:
        return make_team(kind, env, envs, folder, name=name, write=write, checkpoint=checkpoint)
    made, cfg, models, settings, rows = _parts(kind, env, envs)
    memory = None if rows is None else RandomMemory(memory_size=rows, num_envs=envs)
    extra = {}
    if kind == "amp":
        extra["amp_observation_space"] = env.amp_observation_space
        extra["motion_dataset"] = RandomMemory(memory_size=32)
        extra["reply_buffer"] = RandomMemory(memory_size=50)
        extra["collect_reference_motions"] = motions
    settings |= {"experiment": experiment(folder, name, write, checkpoint), **changes}
    return made(
        models=models,
        memory=memory,
        cfg=cfg(**settings),
        observation_space=env.observation_space,
        state_space=env.state_space,
        action_space=env.action_space,
        device=env.device,
        **extra,
    )


def make_agent_on_cartpole(env, folder):
    """Make a DQN for CartPole that acts at random for long."""
    models = {name: Deterministic(env, 4, 2) for name in ("q_network", "target_q_network")}
    return DQN(
        models=models,
        memory=RandomMemory(memory_size=100, num_envs=4),
        cfg=DQN_CFG(
            batch_size=16,
            random_timesteps=40,
            learning_starts=12,
            exploration_scheduler=less_and_less,
            experiment=experiment(folder),
        ),
        observation_space=env.observation_space,
        action_space=env.action_space,
    )


class Duel:
    """Two actors on a line, in several instances; an episode ends for both at once."""

    def __init__(self, num_envs, steps=9, tells_ends=True):
        self.num_envs, self.steps, self.tells_ends = num_envs, steps, tells_ends
        self.possible_agents = self.agents = ["left", "right"]
        own = spaces.Box(-9, 9, (3,), np.float32)
        self.observation_spaces = {"left": own, "right": own}
        self.action_spaces = {
            "left": spaces.Box(-1, 1, (2,), np.float32),
            "right": spaces.Box(-1, 1, (2,), np.float32),
        }
        self.state_space = spaces.Box(-9, 9, (4,), np.float32)
        self.generator = torch.Generator().manual_seed(5)
        self.device = "cpu"
        self.places = torch.zeros(num_envs, 4)
        self.times = torch.zeros(num_envs)

    def begin(self, rows):
        drawn = torch.rand(self.num_envs, 4, generator=self.generator) - 0.5
        self.places = torch.where(rows[:, None], drawn, self.places)
        self.times = torch.where(rows, 0.0, self.times)

    def observe(self):
        time = (self.times / self.steps)[:, None]
        return {
            "left": torch.cat([self.places[:, :2], time], 1),
            "right": torch.cat([self.places[:, 2:], time], 1),
        }


class DuelWrapper(MultiAgentEnvWrapper):
    """The duel as skrl's wrappers present vectorised environments: reset in the same step."""

    def reset(self):
        self._unwrapped.begin(torch.ones(self.num_envs, dtype=torch.bool))
        return self._unwrapped.observe(), {}

    def step(self, actions):
        env = self._unwrapped
        moves = torch.cat([actions["left"], actions["right"]], 1).clamp(-1, 1)
        env.places = env.places + 0.3 * moves
        env.times = env.times + 1
        far = env.places.abs().amax(1) > 1
        late = (env.times >= env.steps) & ~far
        rewards = {
            "left": 1 - env.places[:, :2].abs().sum(1, keepdim=True),
            "right": 1 - env.places[:, 2:].abs().sum(1, keepdim=True),
        }
        final = env.observe()
        env.begin(far | late)
        infos = {"final_obs": final} if env.tells_ends else {}
        flags = [dict.fromkeys(rewards, part[:, None]) for part in (far, late)]
        return env.observe(), rewards, *flags, infos

    def state(self):
        return {name: self._unwrapped.places.clone() for name in self.possible_agents}

    def render(self, *_, **__):
        return None

    def close(self):
        pass


def make_team(kind, env, envs, folder, *, name="", write=10, checkpoint=20, **changes):
    """Make one of skrl's multi-agents."""
    made, cfg = TEAMS[kind]
    models = {}
    for actor in env.possible_agents:
        part = SimpleNamespace(
            observation_space=env.observation_spaces[actor],
            state_space=env.state_spaces[actor],
            action_space=env.action_spaces[actor],
            device=env.device,
        )
        value = Deterministic(part, state=kind == "mappo")
        discrete = isinstance(part.action_space, spaces.Discrete)
        models[actor] = {"policy": (Categorical if discrete else Gaussian)(part), "value": value}
    first = env.possible_agents[0]
    settings = _rates(1e-2, KL_LR, rollouts=ROLLOUT, learning_epochs=2, mini_batches=2)
    settings |= {
        "observation_preprocessor": RunningStandardScaler,
        "observation_preprocessor_kwargs": {"size": env.observation_spaces[first]},
        **_value_scaled(),
        "time_limit_bootstrap": True,
        "experiment": experiment(folder, name, write, checkpoint),
        **changes,
    }
    if kind == "mappo":
        settings["state_preprocessor"] = RunningStandardScaler
        settings["state_preprocessor_kwargs"] = {"size": env.state_spaces[first]}
    for setting in [name for name in settings if name.endswith("_kwargs")]:
        settings[setting] = dict.fromkeys(env.possible_agents, settings[setting])
    for setting in {"state_preprocessor_kwargs", "value_preprocessor_kwargs"} - set(settings):
        settings[setting] = {actor: {} for actor in env.possible_agents}
    return made(
        possible_agents=env.possible_agents,
        models=models,
        memories={
            actor: RandomMemory(memory_size=ROLLOUT, num_envs=envs) for actor in env.possible_agents
        },
        cfg=cfg(**settings),
        observation_spaces=env.observation_spaces,
        state_spaces=env.state_spaces,
        action_spaces=env.action_spaces,
        device=env.device,
    )


GROUPS = {
    "box": (*ON_POLICY, *OFF_POLICY, "amp", "ppo_states"),
    "discrete": (*VALUES, "cem", "ppo_discrete"),
    "table": tuple(TABLES),
    "teams": tuple(TEAMS),
}


def group_env(group, num_envs):
    """Make an environment in which every kind of a group can learn."""
    if group == "teams":
        return env_for("mappo", num_envs)
    if group != "box":
        return make_env(GROUPS[group][0], num_envs)
    env = StatefulVectorEnv([Walk for _ in range(num_envs)], autoreset_mode=AutoresetMode.SAME_STEP)
    return StyledWrapper(env)


def group_agents(group, env, folder):
    """Make an agent of every kind of a group, for four instances each."""
    return [make_agent(kind, env, 4, folder, name=kind) for kind in GROUPS[group]]


def make_team_of(given, envs, folder, kind="mappo"):
    """Make a multi-agent from the spaces of one of Coterie's environments for teams."""
    observations = dict(given["observation_space"].spaces)
    env = SimpleNamespace(
        possible_agents=list(observations),
        observation_spaces=observations,
        action_spaces=dict(given["action_space"].spaces),
        state_spaces=dict.fromkeys(observations, given["state_space"]),
        device="cpu",
    )
    return make_team(kind, env, envs, folder, write=0, checkpoint=0)


def env_for(kind, num_envs=4, **settings):
    """Make an environment for an agent or a team of a kind."""
    if kind in TEAMS:
        return DuelWrapper(Duel(num_envs, **settings))
    return make_env(kind, num_envs, **settings)


def everything(agent):
    """All that training changes in an agent of skrl, as a flat dict of tensors and values.

    Timings and what is configuration are left out. It knows skrl's objects, not this package.
    """
    found = {}
    _look(vars(agent), "", found, {})
    return found


_NO_STATE = ("cfg", "writer", "experiment_dir", "device", "training")


def _look(value, path, found, seen):
    if id(value) in seen or isinstance(value, gymnasium.Space | torch.distributions.Distribution):
        return
    if isinstance(value, bool | int | float | str | np.generic) or value is None:
        found[path] = value
        return
    if not isinstance(value, tuple | torch.Tensor):
        seen[id(value)] = value  # kept: an id is an object's as long as it lives
    if isinstance(value, torch.Tensor):
        found[path] = value.detach().clone()
    elif isinstance(value, Memory):
        for name in ("memory_index", "env_index", "filled"):
            found[f"{path}.{name}"] = getattr(value, name)
        rows = value.memory_size if value.filled or value.env_index else value.memory_index
        for name, tensor in value.tensors.items():  # what lies beyond can't be seen
            found[f"{path}.{name}"] = tensor[:rows].clone()
    elif hasattr(value, "state_dict"):
        _look(value.state_dict(), path, found, seen)
    elif isinstance(value, dict):
        for key, part in value.items():
            if not str(key).startswith("Stats / ") and key not in _NO_STATE:
                _look(part, f"{path}.{key}", found, seen)
    elif isinstance(value, GaussianNoise | OrnsteinUhlenbeckNoise):
        _look(vars(value), path, found, seen)
    elif hasattr(value, "__iter__"):
        for index, part in enumerate(value):
            _look(part, f"{path}[{index}]", found, seen)


def differences(left, right):
    """Names of what differs in two results of :func:`everything`, bit for bit."""
    return sorted(
        name
        for name in left.keys() | right.keys()
        if name not in left or name not in right or not _same(left[name], right[name])
    )


def _same(one, other):
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        both_nan = isinstance(one, float) and math.isnan(one) and math.isnan(other)
        return both_nan or (
            isinstance(one, torch.Tensor) is isinstance(other, torch.Tensor) and one == other
        )
    if torch.int32 in (one.dtype, other.dtype):  # Discrete: int64 in Coterie, int32 in skrl
        one, other = one.long(), other.long()
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(
        one.reshape(-1).contiguous().view(torch.uint8),
        other.reshape(-1).contiguous().view(torch.uint8),
    )


@pytest.fixture(scope="session")
def zoo():
    """Functions and classes of this module."""
    return SimpleNamespace(**globals())


@pytest.fixture(scope="session")
def _servers():
    made = []
    yield made
    for server in made:
        server.close()


@pytest.fixture
def warm_server(_servers):
    """Fork workers from one process that has imported torch and skrl, in tests of what they do."""
    processes = pytest.importorskip("coterie_backends_mp")
    if not _servers or not psutil.pid_exists(_servers[-1].pid):
        _servers.append(processes.WorkerServer(["skrl.agents.torch", "skrl.multi_agents.torch"]))


@pytest.fixture(autouse=True)
def quiet_environment_exit(monkeypatch):
    """Keep skrl's own trainers from closing environments at the exit."""
    import atexit

    monkeypatch.setattr(atexit, "register", lambda function, *_, **__: function)

"""Reinforcement-learning agents, each written once with a leading population axis.

Names are imported when they are first used, so that the plugin can be listed without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._a2c.agent import A2C
    from ._a2c.cfg import A2CCfg
    from ._a2c.learner import A2CLearner
    from ._a2c.losses import a2c_losses
    from ._continuous.cfg import ContinuousCfg, ContinuousModelCfg
    from ._ddpg.agent import DDPG
    from ._ddpg.cfg import DDPGCfg
    from ._ddpg.learner import DDPGLearner
    from ._dqn.agent import DQN
    from ._dqn.cfg import DQNCfg, QModelCfg
    from ._dqn.learner import DQNLearner
    from ._dqn.losses import q_losses, q_targets
    from ._ippo.agent import IPPO
    from ._ippo.cfg import IPPOCfg
    from ._ippo.learner import IPPOLearner
    from ._learning.agent import LearnerAgent
    from ._learning.errors import NonFiniteLoss
    from ._learning.interface import Learner
    from ._mappo.agent import MAPPO
    from ._mappo.cfg import MAPPOCfg
    from ._mappo.learner import MAPPOLearner
    from ._memory.nstep import n_step_return
    from ._memory.prioritized import PrioritizedReplayMemory
    from ._memory.replay import ReplayMemory
    from ._memory.sequences import SequenceReplayMemory
    from ._memory.shared import SharedReplay, SharedReplayPart
    from ._models.cfg import CnnCfg, ModelCfg
    from ._offpolicy.agent import OffPolicyAgent
    from ._offpolicy.cfg import OffPolicyCfg
    from ._offpolicy.fields import replay_fields
    from ._offpolicy.learner import OffPolicyLearner
    from ._optim.adam import PopulationAdam
    from ._optim.rmsprop import PopulationRMSProp
    from ._ppo.agent import PPO
    from ._ppo.cfg import PPOCfg
    from ._ppo.learner import PPOLearner
    from ._ppo.losses import ppo_losses
    from ._ppo.returns import gae
    from ._ppo_rnn.agent import PPORNN
    from ._ppo_rnn.cfg import PPORNNCfg, PPORNNModelCfg
    from ._ppo_rnn.learner import PPORNNLearner
    from ._preprocessors.scaler import RunningStandardScaler
    from ._recurrent.cfg import RecurrentModelCfg
    from ._rpo.agent import RPO
    from ._rpo.cfg import RPOCfg
    from ._rpo.learner import RPOLearner
    from ._sac.agent import SAC
    from ._sac.cfg import SACCfg
    from ._sac.learner import SACLearner
    from ._sac_rnn.agent import SACRNN
    from ._sac_rnn.cfg import SACRNNCfg
    from ._sac_rnn.learner import SACRNNLearner
    from ._td3.agent import TD3
    from ._td3.cfg import TD3Cfg
    from ._td3.learner import TD3Learner
    from ._teams.agent import LearnerTeam
    from ._teams.learner import TeamLearner

_HOME_OF = {
    "A2C": "_a2c.agent",
    "A2CCfg": "_a2c.cfg",
    "A2CLearner": "_a2c.learner",
    "CnnCfg": "_models.cfg",
    "ContinuousCfg": "_continuous.cfg",
    "ContinuousModelCfg": "_continuous.cfg",
    "DDPG": "_ddpg.agent",
    "DDPGCfg": "_ddpg.cfg",
    "DDPGLearner": "_ddpg.learner",
    "DQN": "_dqn.agent",
    "DQNCfg": "_dqn.cfg",
    "DQNLearner": "_dqn.learner",
    "IPPO": "_ippo.agent",
    "IPPOCfg": "_ippo.cfg",
    "IPPOLearner": "_ippo.learner",
    "Learner": "_learning.interface",
    "LearnerAgent": "_learning.agent",
    "LearnerTeam": "_teams.agent",
    "MAPPO": "_mappo.agent",
    "MAPPOCfg": "_mappo.cfg",
    "MAPPOLearner": "_mappo.learner",
    "ModelCfg": "_models.cfg",
    "NonFiniteLoss": "_learning.errors",
    "OffPolicyAgent": "_offpolicy.agent",
    "OffPolicyCfg": "_offpolicy.cfg",
    "OffPolicyLearner": "_offpolicy.learner",
    "PPO": "_ppo.agent",
    "PPOCfg": "_ppo.cfg",
    "PPOLearner": "_ppo.learner",
    "PPORNN": "_ppo_rnn.agent",
    "PPORNNCfg": "_ppo_rnn.cfg",
    "PPORNNLearner": "_ppo_rnn.learner",
    "PPORNNModelCfg": "_ppo_rnn.cfg",
    "PopulationAdam": "_optim.adam",
    "PopulationRMSProp": "_optim.rmsprop",
    "PrioritizedReplayMemory": "_memory.prioritized",
    "QModelCfg": "_dqn.cfg",
    "RPO": "_rpo.agent",
    "RPOCfg": "_rpo.cfg",
    "RPOLearner": "_rpo.learner",
    "RecurrentModelCfg": "_recurrent.cfg",
    "ReplayMemory": "_memory.replay",
    "RunningStandardScaler": "_preprocessors.scaler",
    "SAC": "_sac.agent",
    "SACCfg": "_sac.cfg",
    "SACLearner": "_sac.learner",
    "SACRNN": "_sac_rnn.agent",
    "SACRNNCfg": "_sac_rnn.cfg",
    "SACRNNLearner": "_sac_rnn.learner",
    "SequenceReplayMemory": "_memory.sequences",
    "SharedReplay": "_memory.shared",
    "SharedReplayPart": "_memory.shared",
    "TD3": "_td3.agent",
    "TD3Cfg": "_td3.cfg",
    "TD3Learner": "_td3.learner",
    "TeamLearner": "_teams.learner",
    "a2c_losses": "_a2c.losses",
    "gae": "_ppo.returns",
    "n_step_return": "_memory.nstep",
    "ppo_losses": "_ppo.losses",
    "q_losses": "_dqn.losses",
    "q_targets": "_dqn.losses",
    "replay_fields": "_offpolicy.fields",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("coterie-agents")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'coterie_agents' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


__all__ = [
    "A2C",
    "DDPG",
    "DQN",
    "IPPO",
    "MAPPO",
    "PPO",
    "PPORNN",
    "RPO",
    "SAC",
    "SACRNN",
    "TD3",
    "A2CCfg",
    "A2CLearner",
    "CnnCfg",
    "ContinuousCfg",
    "ContinuousModelCfg",
    "DDPGCfg",
    "DDPGLearner",
    "DQNCfg",
    "DQNLearner",
    "IPPOCfg",
    "IPPOLearner",
    "Learner",
    "LearnerAgent",
    "LearnerTeam",
    "MAPPOCfg",
    "MAPPOLearner",
    "ModelCfg",
    "NonFiniteLoss",
    "OffPolicyAgent",
    "OffPolicyCfg",
    "OffPolicyLearner",
    "PPOCfg",
    "PPOLearner",
    "PPORNNCfg",
    "PPORNNLearner",
    "PPORNNModelCfg",
    "PopulationAdam",
    "PopulationRMSProp",
    "PrioritizedReplayMemory",
    "QModelCfg",
    "RPOCfg",
    "RPOLearner",
    "RecurrentModelCfg",
    "ReplayMemory",
    "RunningStandardScaler",
    "SACCfg",
    "SACLearner",
    "SACRNNCfg",
    "SACRNNLearner",
    "SequenceReplayMemory",
    "SharedReplay",
    "SharedReplayPart",
    "TD3Cfg",
    "TD3Learner",
    "TeamLearner",
    "a2c_losses",
    "gae",
    "n_step_return",
    "ppo_losses",
    "q_losses",
    "q_targets",
    "replay_fields",
]

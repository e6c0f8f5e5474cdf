"""Everything that training changes in one member, out of a stack and back into it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .._learning.differences import require_fit
from .._precision.scaler import load_scalers, scaler_states

if TYPE_CHECKING:
    from .learner import PPOLearner


def member_state(learner: PPOLearner, member: int = 0) -> dict[str, Any]:
    """Return a member's state: tensors without the population axis, and plain values."""
    networks = learner.networks
    scalers = {
        "observations": networks.policy_input.scaler,
        "states": None
        if networks.value_input is networks.policy_input
        else networks.value_input.scaler,
        "returns": learner.value_scaler,
    }
    return {
        "settings": learner.settings_of(member),
        "networks": networks.state(member),
        "optimizer": learner.optimizer.state(member),
        "scalers": {n: None if s is None else s.state(member) for n, s in scalers.items()},
        "updates": learner.updates[member],
        "rollout": _rollout_state(learner, member),
        **scaler_states({"total": learner.scaler}, member),
    }


def _rollout_state(learner: PPOLearner, member: int) -> dict[str, Any] | None:
    memory = learner.memory
    if memory is None:
        return None
    noise, pending = learner.noise, learner.pending
    return {
        "length": memory.length,
        "all_valid": learner.all_valid,
        "memory": memory.state(member),
        "noise": None if noise is None or member in learner.undrawn else noise[:, member].clone(),
        "pending": None if pending is None else pending[member].clone(),
    }


def load_member_state(learner: PPOLearner, state: Mapping[str, Any], member: int = 0) -> None:
    """Take over what :func:`member_state` returned; nothing is changed if it does not fit.

    An unfinished rollout is taken over where its length and its number of instances are those
    of the learner (or the learner has no memory yet); otherwise a new one starts.

    Raises:
        CheckpointMismatch: It belongs to another architecture; every difference is listed.
    """
    require_fit(member_state(learner, member), state, learner.kind, free=("rollout",))
    learner.reconfigure(member, evolve(learner.cfgs[member], **state["settings"]))
    networks = learner.networks
    networks.load(state["networks"], member)
    learner.optimizer.load(state["optimizer"], member)
    for name, scaler in (
        ("observations", networks.policy_input.scaler),
        ("states", networks.value_input.scaler),
        ("returns", learner.value_scaler),
    ):
        if scaler is not None and state["scalers"][name] is not None:
            scaler.load(state["scalers"][name], member)
    load_scalers({"total": learner.scaler}, state, member)
    learner.updates[member] = int(state["updates"])
    _load_rollout(learner, state["rollout"], member)


def learned_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Make of a member's state what another one can go on with.

    The unfinished rollout belongs to the weights: it was acted by them. What is recorded after
    it does not follow its last step, and the noise of what is left of it is drawn anew.
    """
    rollout = state["rollout"]
    if rollout is None:
        return dict(state)
    if rollout["memory"]["position"]:
        rollout["memory"]["rows"]["truncated"][-1] = True
    return {**state, "rollout": {**rollout, "noise": None, "pending": None}}


def rollout_phase(state: Mapping[str, Any]) -> Hashable:
    """Tell from a member's state how far its rollout is, and of what size; 0: at its start."""
    rollout = state["rollout"]
    if rollout is None or not rollout["memory"]["position"]:
        return 0
    memory = rollout["memory"]
    return int(rollout["length"]), int(memory["num_envs"]), int(memory["position"])


def _load_rollout(learner: PPOLearner, state: Mapping[str, Any] | None, member: int) -> None:
    if state is None or int(state["length"]) != learner.cfg.rollouts:
        _start_anew(learner, member)
        return
    num_envs = int(state["memory"]["num_envs"])
    if learner.memory is None:
        learner.allocate(num_envs)
    assert learner.memory is not None
    if learner.memory.num_envs != num_envs:
        _start_anew(learner, member)
        return
    learner.memory.load(state["memory"], member)
    learner.all_valid = bool(state["all_valid"]) and (learner.all_valid or learner.population == 1)
    learner.set_noise(state["noise"], member)
    pending = state["pending"]
    if learner.population == 1:
        learner.pending = None if pending is None else pending.to(learner.device)[None].clone()
    elif learner.pending is not None and pending is not None:
        learner.pending[member].copy_(pending)


def _start_anew(learner: PPOLearner, member: int) -> None:
    """Let a member begin a rollout; others in a stack are at the same point of theirs."""
    learner.set_noise(None, member)
    if learner.population == 1:
        learner.pending, learner.all_valid = None, True
        if learner.memory is not None:
            learner.memory.clear()

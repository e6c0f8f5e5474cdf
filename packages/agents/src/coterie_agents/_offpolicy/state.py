"""Everything that training changes in one member of an off-policy learner."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from coterie import CheckpointMismatch

from .._learning.differences import require_fit

if TYPE_CHECKING:
    from .._exploration.draws import Draws
    from .learner import OffPolicyLearner

FREE = ("memory", "draws", "drift", "hidden")
"""Parts of a state that depend on the number of instances; they may be of another one."""


def member_state(
    learner: OffPolicyLearner, member: int = 0, *, rows: bool = True
) -> dict[str, Any]:
    """Return a member's state: tensors without the population axis, and plain values.

    Args:
        learner: The members.
        member: Which one.
        rows: Whether to add the content of the memory, if it belongs to the state; else its size.
    """
    places = {"observations": learner.observations.scaler, "states": None}
    if learner.critic_states is not learner.observations:
        places["states"] = learner.critic_states.scaler
    draws = _draws(learner)
    return {
        "settings": learner.settings_of(member),
        **learner.own_state(member),
        "scalers": {n: None if s is None else s.state(member) for n, s in places.items()},
        "updates": learner.updates[member],
        "steps": learner.steps,
        "draws": {name: part.state(member) for name, part in draws.items()},
        "memory": _content(learner, member, rows),
    }


def _content(learner: OffPolicyLearner, member: int, rows: bool) -> dict[str, Any] | None:
    memory = learner.memory
    if memory is None or (rows and not learner.cfg.checkpoint_memory):
        return None
    if rows:
        return memory.state(member)
    return {"num_envs": memory.num_envs, "writes": memory.writes}


def _draws(learner: OffPolicyLearner) -> dict[str, Draws]:
    found = {"batches": learner.batches, **learner.own_draws()}
    if learner.noise is not None and learner.warm_up is not None:
        found |= {"noise": learner.noise, "warm_up": learner.warm_up}
    return found


def load_member_state(learner: OffPolicyLearner, state: Mapping[str, Any], member: int = 0) -> None:
    """Take over what :func:`member_state` returned; nothing is changed if it does not fit.

    Raises:
        CheckpointMismatch: It belongs to another architecture; every difference is listed.
    """
    require_fit(member_state(learner, member, rows=False), state, learner.kind, FREE)
    content = state["memory"]
    if content is not None:
        if learner.noise is None:
            own = learner.memory.num_envs if learner.memory else int(content["num_envs"])
            learner.allocate(own)
        _check_memory(learner, content)
    learner.reconfigure(member, evolve(learner.cfgs[member], **state["settings"]))
    learner.load_own_state(state, member)
    learner.updates[member] = int(state["updates"])
    learner.steps = int(state["steps"])
    learner.pending = None
    _load_scalers(learner, state["scalers"], member)
    _load_memory(learner, content, member)
    _load_draws(learner, state["draws"], member)


def learned_state(learner: OffPolicyLearner, member: int = 0) -> dict[str, Any]:
    """Return what another member can go on with: no samples, random numbers or counts of steps."""
    state = member_state(learner, member, rows=False)
    left_out = (*FREE, "steps", *learner.rhythm)
    return {key: value for key, value in state.items() if key not in left_out}


def inherit_state(learner: OffPolicyLearner, state: Mapping[str, Any], member: int = 0) -> None:
    """Take over what :func:`learned_state` returned; the memory goes on as it is.

    Noise that drifts goes on too, and so does the rhythm of delayed updates; what was
    remembered of the episodes is forgotten.

    Raises:
        CheckpointMismatch: It belongs to another architecture; every difference is listed.
    """
    require_fit(learned_state(learner, member), state, learner.kind)
    own = learner.own_state(member)
    learner.reconfigure(member, evolve(learner.cfgs[member], **state["settings"]))
    kept = {name: own[name] for name in learner.rhythm}
    learner.load_own_state({**state, "drift": own.get("drift"), "hidden": None, **kept}, member)
    learner.updates[member] = int(state["updates"])
    _load_scalers(learner, state["scalers"], member)


def _load_scalers(learner: OffPolicyLearner, state: Mapping[str, Any], member: int) -> None:
    for name, place in (("observations", learner.observations), ("states", learner.critic_states)):
        if place.scaler is not None and state[name] is not None:
            place.scaler.load(state[name], member)


def _check_memory(learner: OffPolicyLearner, content: Mapping[str, Any]) -> None:
    memory = learner.memory
    if memory is None or int(content["num_envs"]) != memory.num_envs:
        return
    try:
        memory.check(content)
    except CheckpointMismatch as error:
        raise CheckpointMismatch(
            f"this state belongs to another {learner.kind} agent: {error}"
        ) from None


def _load_memory(learner: OffPolicyLearner, content: Mapping[str, Any] | None, member: int) -> None:
    memory = learner.memory
    if memory is None:
        return
    if content is None or int(content["num_envs"]) != memory.num_envs:
        if learner.population == 1:  # the others of a stack remember on
            memory.clear()
    else:
        memory.load(content, member)


def _load_draws(learner: OffPolicyLearner, state: Mapping[str, Any], member: int) -> None:
    for name, part in _draws(learner).items():
        left = state.get(name, {"left": None})["left"]
        fits = left is not None and tuple(left.shape[1:]) == part.shape
        part.load({"left": left if fits else None}, member)


def phase_of(state: Mapping[str, Any], rhythm: Sequence[str] = ()) -> Hashable:
    """Tell from a state where in its rhythm a member stands.

    Members in one phase have recorded and remember as many timesteps of as many instances, and
    have drawn as many random numbers.

    Args:
        state: What :func:`member_state` returned.
        rhythm: Names of further counts in it.
    """
    content = state["memory"]
    left = {
        name: () if part["left"] is None else tuple(part["left"].shape)
        for name, part in state["draws"].items()
    }
    filled = None if content is None else (int(content["num_envs"]), int(content["writes"]))
    counts = tuple(int(state[name]) for name in ("steps", *rhythm))
    return (counts, filled, tuple(sorted(left.items())))

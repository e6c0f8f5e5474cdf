"""What one member does between two environment steps, and how its failure gets its name."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

from .._agents.transition import Transition
from .._errors import WorkerRaised
from .._seeding import GlobalStreams, derive_seed
from .._spaces import Leaf, check_contained, leaf_of, space_leaves
from .._trees import tree_map, tree_rows

if TYPE_CHECKING:
    from .._envs.interface import Interface
    from .._trainers.members import Member
    from .._types import State, Tree
    from .interface import Mode


class MemberDriver:
    """Runs one member's agent: the same code in the caller's process and in a worker.

    It cuts the member's rows out of the environment's tensors, brings them to the agent's
    device, calls the agent's life cycle and turns what goes wrong into a
    :class:`~coterie.WorkerRaised` that names member, phase and timestep.

    Args:
        member: The member.
        interface: Spaces, number of instances and device of the environment.
        mode: ``"train"``, or ``"eval"``: act only.
        deterministic: Whether to take the mean action.
        debug: Whether to check that actions lie within their space.
    """

    def __init__(
        self,
        member: Member,
        interface: Interface,
        mode: Mode,
        *,
        deterministic: bool = False,
        debug: bool = False,
    ) -> None:
        self.member = member
        self.agent = member.agent
        self.phase = "setup"
        self.timestep: int | None = None
        self._interface = interface
        self._mode = mode
        # None: the agent's tensors and the environment's are on one device, nothing moves.
        self._device = None if interface.device == self.agent.device else self.agent.device
        self._deterministic = deterministic
        self._space = interface.action_space if debug else None
        self._timesteps = 0
        self._leaves = space_leaves(interface.action_space)
        self._streams: GlobalStreams | None = None
        self._threads: int | None = None
        self._generator_state = self.agent.generator.get_state()
        self._was_training = self.agent.training
        self._observations: Any = None
        self._states: Any = None
        self._actions: Any = None

    def setup(self) -> None:
        """Get the agent ready: its memory, its mode, its random streams."""
        with self.during("setup"):
            if self._mode == "eval":
                self._generator_state = self.agent.generator.get_state()
                self._was_training = self.agent.training
                self.agent.generator.manual_seed(derive_seed(self.member.seed, "eval"))
            if self.agent.uses_global_generators:
                self._streams = self._open_streams()
            with self._inside():
                self.agent.setup(self.member.num_envs)
                self.agent.enable_training_mode(self._mode == "train")

    def leave(self) -> None:
        """End a run: keep the random streams with the member, undo what evaluation changed."""
        with self.during("leave"):
            if self._mode == "eval":
                self.agent.generator.set_state(self._generator_state)
                self.agent.enable_training_mode(self._was_training)
            elif self._streams is not None:
                self.member.streams = self._streams.state_dict()

    def begin(
        self, observations: Tree, states: Tree | None, *, timestep: int, timesteps: int, cut: bool
    ) -> Any:
        """Answer the first observations of a run with actions ``[n, ...]`` of the scope."""
        self.timestep, self._timesteps = timestep, timesteps
        with self.during("reset"), self._inside():
            if cut and self._mode == "train":
                self.agent.episodes_cut()
            return self._act(self._rows(observations), self._rows(states))

    def advance(self, transition: Transition, observations: Tree, states: Tree | None) -> Any:
        """Record a step, learn, and answer the next observations with actions ``[n, ...]``."""
        with self.during("record"), self._inside():
            if self._mode == "eval":  # nothing is learned: the step need not be cut out
                self.timestep = (self.timestep or 0) + 1
                return self._act(self._rows(observations), self._rows(states))
            own = self._own(transition)
            self._learn(own)
            self.timestep = (self.timestep or 0) + 1
            # Where no episode ended, the next actions answer what the step ended in.
            same = observations is transition.next_observations
            return self._act(
                own.next_observations if same else self._rows(observations),
                own.next_states if states is transition.next_states else self._rows(states),
            )

    def finish(self, transition: Transition) -> None:
        """Record the last step of the run and learn."""
        if self._mode == "train":
            with self.during("record"), self._inside():
                self._learn(self._own(transition))

    def metrics(self) -> dict[str, float]:
        """Hand over the agent's scalars since the last call."""
        with self.during("metrics"):
            return {str(name): float(value) for name, value in self.agent.metrics().items()}

    def snapshot(self) -> State:
        """Return the full state of the member: agent and random streams."""
        with self.during("state"):
            return {
                "agent": self.agent.state_dict(),
                "streams": None if self._streams is None else self._streams.state_dict(),
            }

    def restore(self, state: State) -> None:
        """Take over a state that :meth:`snapshot` returned."""
        with self.during("state"):
            self.agent.load_state_dict(state["agent"])
            if self._streams is not None and state["streams"] is not None:
                self._streams.load_state_dict(state["streams"])

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Give an exception of the member's code the name of the phase that it happened in.

        Raises:
            WorkerRaised: The block raised an exception, or tried to end the process.
        """
        self.phase = phase
        try:
            yield
        except (Exception, SystemExit) as error:
            raise member_raised(self.member, self.phase, self.timestep, error) from error

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """Let the member have what is process-wide for itself: random streams and threads."""
        outside = torch.get_num_threads()
        if self._threads not in (None, outside):
            torch.set_num_threads(self._threads)
        try:
            with self._streams.active() if self._streams else nullcontext():
                yield
        finally:
            self._threads = torch.get_num_threads()
            if self._threads != outside:
                torch.set_num_threads(outside)

    def _open_streams(self) -> GlobalStreams:
        if self._mode == "eval":
            return GlobalStreams(derive_seed(self.member.seed, "eval"), self.agent.device)
        streams = GlobalStreams(self.member.seed, self.agent.device)
        if self.member.streams is not None:
            streams.load_state_dict(self.member.streams)
        return streams

    def _learn(self, own: Transition) -> None:
        timestep = self.timestep or 0
        self.agent.record_transition(own, timestep=timestep, timesteps=self._timesteps)
        self.phase = "post_interaction"
        self.agent.post_interaction(timestep=timestep, timesteps=self._timesteps)

    def _act(self, observations: Any, states: Any) -> Any:
        timestep = self.timestep or 0
        if self._mode == "train":
            self.phase = "pre_interaction"
            self.agent.pre_interaction(timestep=timestep, timesteps=self._timesteps)
        self.phase = "act"
        self._observations, self._states = observations, states
        with torch.no_grad():
            self._actions = self.agent.act(
                observations,
                states=states,
                timestep=timestep,
                timesteps=self._timesteps,
                deterministic=self._deterministic,
            )
        self._check(self._actions)
        home = None if self._device is None else self._interface.device
        return tree_map(
            lambda t: t.detach() if home is None else t.detach().to(home), self._actions
        )

    def _rows(self, tree: Tree | None) -> Any:
        """Copy the member's rows to the agent's device."""
        return None if tree is None else tree_rows(tree, self.member.scope, self._device)

    def _own(self, transition: Transition) -> Transition:
        """Cut the member's rows out of a step; observations and actions are those it acted on."""
        own = self._cut
        return Transition(
            observations=self._observations,
            actions=self._actions,
            rewards=own(transition.rewards),
            next_observations=self._rows(transition.next_observations),
            terminated=own(transition.terminated),
            truncated=own(transition.truncated),
            valid=own(transition.valid),
            all_valid=transition.all_valid,
            states=self._states,
            next_states=self._rows(transition.next_states),
            infos=cut_infos(transition.infos, self.member.scope, self._interface.num_envs)
            if self.agent.uses_infos
            else {},
        )

    def _cut(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy the member's rows: an executor may write the next step to the same memory."""
        own = tensor[self.member.scope]
        return own.clone() if self._device is None else own.to(self._device)

    def _check(self, actions: Any) -> None:
        for leaf in self._leaves:
            self._check_leaf(leaf_of(actions, leaf.path), leaf)
        if self._space is not None:
            check_contained(self._space, actions)

    def _check_leaf(self, tensor: Any, leaf: Leaf) -> None:
        shape = (self.member.num_envs, *leaf.shape)
        name = f"actions.{leaf.label}" if leaf.path else "actions"
        if not isinstance(tensor, torch.Tensor) or tensor.shape != shape:
            got = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise ValueError(f"{name}: expected a tensor of shape {shape}, got {got}")
        if tensor.dtype != leaf.dtype:
            raise ValueError(f"{name}: expected {leaf.dtype}, got {tensor.dtype}")


def member_raised(
    member: Member, phase: str, timestep: int | None, error: BaseException
) -> WorkerRaised:
    """Compose the error for an exception in a member's code, even one without a text."""
    when = "" if timestep is None else f" at step {timestep}"
    try:
        text = str(error)
    except Exception:
        text = "(its text can't be made)"
    return WorkerRaised(
        f"agent {member.index} ({member.name!r}) raised {type(error).__name__} in {phase}{when}: "
        f"{text}",
        agent_index=member.index,
        agent_name=member.name,
        phase=phase,
        timestep=timestep,
        remote_traceback="".join(traceback.format_exception(error)),
    )


def cut_infos(infos: Any, rows: slice, num_envs: int) -> dict[str, Any]:
    """Cut infos to a scope: what has an entry per instance is sliced, the rest kept.

    Tensors, arrays, lists and tuples of length ``num_envs`` hold an entry per instance.
    """

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(part) for key, part in value.items()}
        if hasattr(value, "shape"):
            return value[rows] if value.shape[:1] == (num_envs,) else value
        if isinstance(value, list | tuple) and len(value) == num_envs:
            return value[rows]
        return value

    return {key: cut(value) for key, value in infos.items()}

"""What one member does between two environment steps, and how its failure gets its name."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch._C import _set_grad_enabled

from .._agents.transition import Transition
from .._errors import CheckpointMismatch, ConfigError, CoterieError, WorkerRaised
from .._seeding import GlobalStreams, derive_seed
from .._spaces import ActionCheck
from .._trees import tree_map, tree_rows

if TYPE_CHECKING:
    from .._envs.interface import Interface
    from .._trainers.members import Member
    from .._types import State, Tree
    from .interface import Mode


class RowsDriver:
    """Runs one member's agent on the rows of its scope: the same code in every process.

    It brings the rows to the agent's device, calls the agent's life cycle and turns what goes
    wrong into a :class:`~coterie.WorkerRaised` that names member, phase and timestep.

    What it is given must stay as it is until the next call returned, be contiguous and start at
    a cache line: a matrix product can round differently otherwise. An agent that keeps
    transitions gets copies.

    Args:
        member: The member.
        interface: Spaces, number of instances and device of the environment.
        mode: ``"train"``, or ``"eval"``: act only.
        deterministic: Whether to take the mean action.
        debug: Whether to check that actions lie within their space.
        alone: Whether nobody else uses the process-wide random generators of this process.
    """

    def __init__(
        self,
        member: Member,
        interface: Interface,
        mode: Mode,
        *,
        deterministic: bool = False,
        debug: bool = False,
        alone: bool = False,
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
        self._check = ActionCheck(interface.action_space, member.num_envs, contained=debug)
        self._alone = alone
        self._timesteps = 0
        self._copies = self.agent.keeps_transitions or self._device is not None
        self._streams: GlobalStreams | None = None
        self._threads: int | None = None
        self._generator_state = self.agent.generator.get_state()
        self._was_training = self.agent.training
        self._observations: Any = None
        self._states: Any = None
        self._actions: Any = None

    @property
    def swaps_streams(self) -> bool:
        """Whether it swaps the member's process-wide random streams in and out at each call."""
        return self._streams is not None and not self._alone

    def setup(self) -> None:
        """Get the agent ready: its memory, its mode, its random streams."""
        with self.during("setup"):
            if self._mode == "eval":
                self._generator_state = self.agent.generator.get_state()
                self._was_training = self.agent.training
                self.agent.generator.manual_seed(derive_seed(self.member.seed, "eval"))
            if self.agent.uses_global_generators:
                self._streams = self._open_streams()
                if self._alone:
                    self._streams.install()
        self._guard("setup", self._get_ready)

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
        """Answer the first observations of a run.

        Args:
            observations: Tensors ``[n, ...]``.
            states: Privileged observations that belong to them, or ``None``.
            timestep: The first timestep.
            timesteps: Where the count of timesteps ends.
            cut: Whether the run starts from a reset.

        Returns:
            Actions ``[n, ...]`` on the environment's device.
        """
        self.timestep, self._timesteps = timestep, timesteps
        return self._guard("reset", self._begin, observations, states, cut)

    def advance(self, transition: Transition, observations: Tree, states: Tree | None) -> Any:
        """Record a step, learn, and answer the next observations.

        Args:
            transition: Where the step led to. Its observations, actions and states are not read,
                but set: they are those that the agent acted on.
            observations: What to answer, tensors ``[n, ...]``.
            states: Privileged observations that belong to them, or ``None``.

        Returns:
            Actions ``[n, ...]`` on the environment's device.
        """
        return self._guard("record", self._advance, transition, observations, states)

    def finish(self, transition: Transition) -> None:
        """Record the last step of the run and learn; arguments as above."""
        if self._mode == "train":
            self._guard("record", lambda: self._learn(self._completed(transition)))
        elif self.agent.watches_evaluation:
            self._guard("record", self._watch, transition)

    def metrics(self) -> dict[str, float]:
        """Hand over the agent's scalars since the last call."""
        with self.during("metrics"):
            return {str(name): float(value) for name, value in self.agent.metrics().items()}

    def snapshot(self, *, learned: bool = False) -> State:
        """Return the full state of the member, agent and random streams, or what it learned."""
        with self.during("state"):
            if learned:
                return {"learned": self.agent.learned()}
            return self._state(self.agent.state_dict())

    def handover(self) -> State:
        """Return what the member goes on from elsewhere in the same run."""
        with self.during("state"):
            return self._state(self.agent.handover())

    def _state(self, agent: State) -> State:
        streams = None if self._streams is None else self._streams.state_dict()
        return {"agent": agent, "streams": streams}

    def restore(self, state: State) -> None:
        """Take over a state that :meth:`snapshot` returned, here or of another member.

        Raises:
            CheckpointMismatch: It does not fit; the member is as it was.
        """
        own = None if self.agent.refuses_untouched else copy.deepcopy(self.handover())
        try:
            self._take_over(state)
        except Exception as error:
            if own is not None:
                with self.during("state"):
                    self._take_over(own)
            raise refused_state(self.member, error) from error

    def _take_over(self, state: State) -> None:
        if "learned" in state:
            self.agent.inherit(state["learned"])
            return
        streams = None if self._streams is None else state["streams"]
        before = None if self._streams is None else self._streams.state_dict()
        if self._streams is not None and streams is not None:
            self._streams.load_state_dict(streams)
        try:
            self.agent.load_state_dict(state["agent"])
        except BaseException:
            if self._streams is not None and before is not None:
                self._streams.load_state_dict(before)
            raise

    def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Change settings of the agent.

        Raises:
            ConfigError: A setting is unknown, wrong, or can't change any more; the member is as
                it was.
            WorkerRaised: The agent failed.
        """
        try:
            self.agent.reconfigure(settings)
        except ConfigError as error:
            raise refused_settings(self.member, error) from error
        except Exception as error:
            raise member_raised(self.member, "reconfigure", self.timestep, error) from error

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

    def _guard(self, phase: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do some of the member's work; it has what is process-wide for itself.

        That is its random streams, and its number of threads: a change of it stays its own. The
        same as ``during`` around the work, without what a generator costs at each step.

        Raises:
            WorkerRaised: It raised an exception, or tried to end the process.
        """
        self.phase = phase
        outside = torch.get_num_threads()
        if self._threads is not None and self._threads != outside:
            torch.set_num_threads(self._threads)
        try:
            if self._streams is None or self._alone:
                return work(*arguments)
            with self._streams.active():
                return work(*arguments)
        except (Exception, SystemExit) as error:
            raise member_raised(self.member, self.phase, self.timestep, error) from error
        finally:
            self._threads = torch.get_num_threads()
            if self._threads != outside:
                torch.set_num_threads(outside)

    def _get_ready(self) -> None:
        self.agent.setup(self.member.num_envs)
        self.agent.enable_training_mode(self._mode == "train")

    def _begin(self, observations: Any, states: Any, cut: bool) -> Any:
        if cut and self._mode == "train":
            self.agent.episodes_cut()
        return self._act(self._take(observations), self._take(states))

    def _advance(self, own: Transition, observations: Any, states: Any) -> Any:
        if self._mode == "train":
            transition = self._completed(own)
            self._learn(transition)
            # Where no episode ended, the next actions answer what the step ended in.
            same = observations is own.next_observations
            observations = transition.next_observations if same else self._take(observations)
            same = states is own.next_states
            states = transition.next_states if same else self._take(states)
        else:
            if self.agent.watches_evaluation:
                self._watch(own)
            self.agent.episodes_ended(self._starts(own))
            observations, states = self._take(observations), self._take(states)
        self.timestep = (self.timestep or 0) + 1
        return self._act(observations, states)

    def _watch(self, own: Transition) -> None:
        """Show the agent a step of an evaluation."""
        timestep = self.timestep or 0
        self.agent.watch(self._completed(own), timestep=timestep, timesteps=self._timesteps)

    def _starts(self, own: Transition) -> Any:
        """Find where the member's next observations begin episodes."""
        return self._take(own.starts)

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
        with_gradients = torch.is_grad_enabled()
        _set_grad_enabled(False)  # the context manager costs ten times as much
        try:
            actions = self.agent.act(
                observations,
                states=states,
                timestep=timestep,
                timesteps=self._timesteps,
                deterministic=self._deterministic,
            )
        finally:
            _set_grad_enabled(with_gradients)
        self._actions = actions
        self._check(actions)
        return self._home(actions)

    def _home(self, actions: Any) -> Any:
        """Bring actions to the environment's device, without their history."""
        if self._device is not None:
            home = self._interface.device
            return tree_map(lambda tensor: tensor.detach().to(home), actions)
        if isinstance(actions, torch.Tensor) and not actions.requires_grad:
            return actions
        return tree_map(torch.Tensor.detach, actions)

    def _take(self, tree: Any) -> Any:
        """Copy what the agent may keep; bring it to the agent's device."""
        return tree_rows(tree, _EVERY, self._device) if self._copies and tree is not None else tree

    def _completed(self, own: Transition[Any]) -> Transition[Any]:
        """Add to a step of the scope what the agent acted on and did."""
        if self._copies:
            take = self._take
            own = Transition(
                observations=self._observations,
                actions=self._actions,
                rewards=take(own.rewards),
                next_observations=take(own.next_observations),
                terminated=take(own.terminated),
                truncated=take(own.truncated),
                valid=take(own.valid),
                all_valid=own.all_valid,
                states=self._states,
                next_states=take(own.next_states),
                infos=own.infos,
                ended=take(own.ended),
            )
        else:  # the caller made it for this; making another one costs as much as recording it
            _set(own, "observations", self._observations)
            _set(own, "actions", self._actions)
            _set(own, "states", self._states)
        return own


_set = object.__setattr__
_EVERY = slice(None)


def refused_state(member: Member, error: BaseException) -> CheckpointMismatch:
    """Compose the error for a state that a member did not take over."""
    told = "" if isinstance(error, CoterieError) else f"{type(error).__name__}: "
    return CheckpointMismatch(
        f"agent {member.index} ({member.name!r}) can't take this state over: {told}{error}"
    )


def refused_settings(member: Member, error: BaseException) -> ConfigError:
    """Compose the error for settings that a member did not take over."""
    return ConfigError(f"agent {member.index} ({member.name!r}): {error}")


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

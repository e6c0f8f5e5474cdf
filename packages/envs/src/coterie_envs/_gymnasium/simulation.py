"""What is saved of a simulation of MuJoCo."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from attrs import frozen

from .._states import parts_of, tensor_of
from .fields import Field

_FLOAT = (torch.float64,)
_LAGGING = ("xpos", "xipos")


@frozen
class Simulation(Field):
    """The simulation of one of gymnasium's environments of MuJoCo.

    What MuJoCo calls the integration state decides everything that its steps compute. Positions
    of bodies lag behind it by one step of the simulator, and some environments read them before
    they step, so they are saved too. Everything else is computed anew.
    """

    name: str = "simulation"

    def save(self, layer: Any) -> dict[str, torch.Tensor]:
        """Return float64 tensors of their own."""
        mujoco = _library()
        kind = mujoco.mjtState.mjSTATE_INTEGRATION
        whole = np.empty(mujoco.mj_stateSize(layer.model, kind))
        mujoco.mj_getState(layer.model, layer.data, whole, kind)
        lagging = {name: torch.tensor(getattr(layer.data, name)) for name in _LAGGING}
        return {"integration": torch.from_numpy(whole), **lagging}

    def read(self, layer: Any, value: Any, where: str) -> Callable[[], None]:
        """Check the sizes, which are those of the model."""
        mujoco = _library()
        model, data, kind = layer.model, layer.data, mujoco.mjtState.mjSTATE_INTEGRATION
        shapes = {name: getattr(data, name).shape for name in _LAGGING}
        shapes["integration"] = (mujoco.mj_stateSize(model, kind),)
        parts = parts_of(value, shapes, where)
        arrays = {
            name: tensor_of(parts[name], shape, [torch.float64], f"{where}.{name}").numpy(
                force=True
            )
            for name, shape in shapes.items()
        }

        def put() -> None:
            mujoco.mj_resetData(model, data)
            mujoco.mj_setState(model, data, arrays["integration"], kind)
            mujoco.mj_forward(model, data)  # for pictures; it changes where the solver starts
            mujoco.mj_setState(model, data, arrays["integration"], kind)
            for name in _LAGGING:
                getattr(data, name)[:] = arrays[name]

        return put


def _library() -> Any:
    """MuJoCo, which came with gymnasium's extra; where there is a simulation, it is loaded."""
    return import_module("mujoco")

"""Whether anybody listens where a cluster is said to be. Free of Ray."""

from __future__ import annotations

import re
import socket

_ADDRESS = re.compile(r"(?:ray://)?(?P<host>[^:/\s]+|\[[^\]]+\]):(?P<port>\d{1,5})")
_WITHOUT_HOST = (None, "auto", "local")
_SECONDS = 5.0


def describe_unreachable(address: str | None) -> str:
    """Say what is wrong with the address of a cluster; empty: somebody listens there.

    Args:
        address: The address, as in :class:`RayTrainerCfg`.
    """
    if address in _WITHOUT_HOST:
        return ""
    found = _ADDRESS.fullmatch(str(address))
    if found is None or not 0 < int(found["port"]) < 2**16:
        return (
            f"address = {address!r}: expected 'auto', 'local', 'host:6379' or 'ray://host:10001', "
            "or nothing for a cluster that runs here"
        )
    try:
        place = found["host"].strip("[]"), int(found["port"])
        socket.create_connection(place, timeout=_SECONDS).close()
    except OSError as error:
        return (
            f"address = {address!r}: nobody listens there ({error}); start a cluster with "
            "'ray start --head', or leave the setting out for one of its own on this machine"
        )
    return ""

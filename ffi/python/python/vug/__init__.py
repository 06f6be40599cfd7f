"""A cache in shared memory: processes of one machine read and write the same regions.

    import vug

    quotes = vug.open()["quotes"]       # a mutable mapping of bytes, shared by all processes
    quotes[b"VUG"] = b"17.25"
    with quotes.view(b"VUG") as view:   # the bytes in shared memory, not a copy
        print(bytes(memoryview(view)))

Every error is a `vug.Error` with a `code`, the same as in Rust and C, and a line of `help`.
"""

import atexit as _atexit
from collections.abc import MutableMapping as _MutableMapping

from . import _vug
from ._errors import *  # noqa: F403
from ._errors import __all__ as _errors
from ._vug import (
    FORMAT_VERSION,
    Attempt,
    Entry,
    Event,
    Handle,
    Listener,
    Node,
    Outcome,
    Region,
    Subscription,
    Token,
    Values,
    View,
    __version__,
    default_home,
    open,
)

__all__ = [
    "FORMAT_VERSION",
    "Attempt",
    "Entry",
    "Event",
    "Handle",
    "Listener",
    "Node",
    "Outcome",
    "Region",
    "Subscription",
    "Token",
    "Values",
    "View",
    "__version__",
    "default_home",
    "open",
    *_errors,
]

_MutableMapping.register(Region)
# Threads of listeners and of waits must not come back to an interpreter that ends.
_atexit.register(_vug.exiting)

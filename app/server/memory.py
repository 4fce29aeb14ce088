"""The memory of the process: one heap for all threads.

glibc gives threads heaps of their own, and a heap keeps what it once held. Hashing a password takes 19 MiB: after eight
logins at once a worker was 40 MB larger, for good. One heap costs nothing, because Python's threads take turns anyway.
"""

import ctypes
import os
import sys

VARIABLE = "MALLOC_ARENA_MAX"
_M_ARENA_MAX = -8  # malloc.h


def share_one_heap() -> None:
    """From now on, in this process and in those that it starts. An operator who sets the variable decides instead."""
    if sys.platform != "linux" or VARIABLE in os.environ:
        return
    os.environ[VARIABLE] = "1"  # is read when a process starts: for the workers
    if adjust := getattr(ctypes.CDLL(None), "mallopt", None):  # glibc alone has it, musl has not
        adjust(_M_ARENA_MAX, 1)

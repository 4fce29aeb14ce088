"""The account that a command of the tests runs under."""

import ctypes
import os

DROP_FROM_THE_BOUNDING_SET = 24  # prctl(2), PR_CAPBSET_DROP
PAST_EVERY_MODE = (1, 2)  # capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def unprivileged() -> None:
    """For `preexec_fn`: the modes of files count for root too, once another program is run."""
    if os.geteuid() == 0:
        for capability in PAST_EVERY_MODE:
            if ctypes.CDLL(None, use_errno=True).prctl(DROP_FROM_THE_BOUNDING_SET, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")

"""The calls of the kernel that nothing in a box may make, as the filter that the kernel itself carries out (seccomp(2)).

A build needs none of them, and each is a way that boxes have been broken through. Must never forbid what a compiler, a
package manager or a test does: `ptrace` and `clone` are told apart by their arguments for that. The filter is made here,
because libseccomp, which could, is a library of the system that is not on every machine.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of a filter (linux/filter.h)."""
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
"""Answers (linux/seccomp.h); the number of the error is added to `_FAIL`."""
_AT_NUMBER, _AT_MACHINE, _AT_ARGUMENTS = 0, 4, 16
"""Where a filter reads (struct seccomp_data); of each argument the lower half first."""
_X32 = 0x40000000
"""From here on x86_64 counts calls of another kind (x32), by which each could be made as well."""

_MACHINES = MappingProxyType({"x86_64": 0xC000003E, "aarch64": 0xC00000B7})
"""The numbers of machines in filters (linux/audit.h), by the name that uname(2) gives."""
_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h)."""
_NEW_TIME = 0x80
_TERMINAL = (0x5412, 0x541C, 0x5423)
"""TIOCSTI and TIOCLINUX type into a terminal, TIOCSETD loads a driver for one (ioctl_tty(2))."""
_LARGEST_SEGMENT = 1 << 16
"""Bytes of System V's shared memory in one piece. There are at most 4,096 (kernel.shmmni); PostgreSQL takes one, of 56."""
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Others, AF_VSOCK among them, are not kept apart by a network namespace."""
_LOOKS = (7, 12, 14, 16, 17, 0x4204)
"""What LeakSanitizer asks of ptrace(2): CONT, GETREGS, GETFPREGS, ATTACH, DETACH, GETREGSET."""


class ForbiddenCall(NamedTuple):
    """One call: its number on each machine, None where there is none, and what it answers instead."""

    x86_64: int | None
    aarch64: int | None
    error: int = errno.EPERM
    """ENOSYS where programs have another way for kernels that do not know the call."""
    argument: int = 0
    """Which argument is looked at, from 0."""
    when: Literal["always", "any bit", "one of", "none of", "from"] = "always"
    """How the argument compares with `values` where the call is forbidden; `from` looks at all of it, the others at the
    lower half."""
    values: tuple[int, ...] = ()

    def on(self, machine: str) -> int | None:
        """Return the number of the call on a machine."""
        return {"x86_64": self.x86_64, "aarch64": self.aarch64}.get(machine)


FORBIDDEN: Mapping[str, ForbiddenCall] = MappingProxyType(
    {
        # Other processes: their memory, descriptors and steps.
        "ptrace": ForbiddenCall(101, 117, when="none of", values=_LOOKS),
        "process_vm_readv": ForbiddenCall(310, 270),
        "process_vm_writev": ForbiddenCall(311, 271),
        "process_madvise": ForbiddenCall(440, 440),
        "kcmp": ForbiddenCall(312, 272),
        "pidfd_getfd": ForbiddenCall(438, 438),
        # Mounts and roots.
        "mount": ForbiddenCall(165, 40),
        "umount2": ForbiddenCall(166, 39),
        "pivot_root": ForbiddenCall(155, 41),
        "chroot": ForbiddenCall(161, 51),
        "open_tree": ForbiddenCall(428, 428),
        "move_mount": ForbiddenCall(429, 429),
        "fsopen": ForbiddenCall(430, 430),
        "fsconfig": ForbiddenCall(431, 431),
        "fsmount": ForbiddenCall(432, 432),
        "fspick": ForbiddenCall(433, 433),
        "mount_setattr": ForbiddenCall(442, 442),
        "open_by_handle_at": ForbiddenCall(304, 265),
        # Namespaces: in one of its own a process would have every capability, and with it most of the kernel's code.
        "setns": ForbiddenCall(308, 268),
        "unshare": ForbiddenCall(272, 97, when="any bit", values=(_NEW_NAMESPACES | _NEW_TIME,)),
        "clone": ForbiddenCall(56, 220, when="any bit", values=(_NEW_NAMESPACES,)),
        "clone3": ForbiddenCall(435, 435, errno.ENOSYS),  # its flags cannot be seen; libraries go on with clone
        # Shared memory that no process has attached is no process's memory, and would escape its limit.
        "shmget": ForbiddenCall(29, 194, errno.EINVAL, 1, "from", (_LARGEST_SEGMENT,)),
        # Keys, which no namespace keeps apart.
        "keyctl": ForbiddenCall(250, 219),
        "add_key": ForbiddenCall(248, 217),
        "request_key": ForbiddenCall(249, 218),
        # Large parts of the kernel that have been ways out again and again.
        "bpf": ForbiddenCall(321, 280),
        "perf_event_open": ForbiddenCall(298, 241),
        "userfaultfd": ForbiddenCall(323, 282, errno.ENOSYS),
        "io_uring_setup": ForbiddenCall(425, 425, errno.ENOSYS),
        "io_uring_enter": ForbiddenCall(426, 426, errno.ENOSYS),
        "io_uring_register": ForbiddenCall(427, 427, errno.ENOSYS),
        "fanotify_init": ForbiddenCall(300, 262),
        "modify_ldt": ForbiddenCall(154, None),
        "lookup_dcookie": ForbiddenCall(212, 18),
        "socket": ForbiddenCall(41, 198, errno.EAFNOSUPPORT, 0, "none of", _FAMILIES),
        "socketpair": ForbiddenCall(53, 199, errno.EAFNOSUPPORT, 0, "none of", _FAMILIES),
        "ioctl": ForbiddenCall(16, 29, argument=1, when="one of", values=_TERMINAL),
        # The machine itself.
        "kexec_load": ForbiddenCall(246, 104),
        "kexec_file_load": ForbiddenCall(320, 294),
        "init_module": ForbiddenCall(175, 105),
        "finit_module": ForbiddenCall(313, 273),
        "delete_module": ForbiddenCall(176, 106),
        "reboot": ForbiddenCall(169, 142),
        "swapon": ForbiddenCall(167, 224),
        "swapoff": ForbiddenCall(168, 225),
        "acct": ForbiddenCall(163, 89),
        "quotactl": ForbiddenCall(179, 60),
        "quotactl_fd": ForbiddenCall(443, 443),
        "settimeofday": ForbiddenCall(164, 170),
        "clock_settime": ForbiddenCall(227, 112),
        "sethostname": ForbiddenCall(170, 161),
        "setdomainname": ForbiddenCall(171, 162),
        "syslog": ForbiddenCall(103, 116),
        "iopl": ForbiddenCall(172, None),
        "ioperm": ForbiddenCall(173, None),
    }
)
"""By their names in syscalls(2); what has no number on a machine does not exist there."""


_KEEPS_PROCESSORS = ForbiddenCall(203, 122)
"""sched_setaffinity(2): every build may choose its processors, but where that is how they are limited."""


def filter_for(machine: str, *, keeping_processors: bool = False) -> bytes:
    """Return the filter for a machine, as uname(2) names it: `struct sock_filter` after another; none for others.

    With `keeping_processors` no process may choose others than those it has.

    A program for another kind of machine (32 bits on 64) ends at its first call: its numbers mean other calls.
    """
    if machine not in _MACHINES:
        return b""
    begin = [(_LOAD, 0, 0, _AT_MACHINE), (_EQUAL, 1, 0, _MACHINES[machine]), (_ANSWER, 0, 0, _KILL)]
    begin.append((_LOAD, 0, 0, _AT_NUMBER))
    if machine == "x86_64":
        begin += [(_AT_LEAST, 0, 1, _X32), (_ANSWER, 0, 0, _FAIL | errno.ENOSYS)]
    forbidden = (*FORBIDDEN.values(), *([_KEEPS_PROCESSORS] if keeping_processors else []))
    calls = [(number, one) for one in forbidden if (number := one.on(machine)) is not None]
    program = [*begin, *(step for number, one in calls for step in _steps(number, one)), (_ANSWER, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *one) for one in program)


def _steps(number: int, one: ForbiddenCall) -> list[tuple[int, int, int, int]]:
    """Return the instructions for one call. They begin, and go on for another call, with the number loaded."""
    answer = (_ANSWER, 0, 0, _FAIL | one.error)
    if one.when == "always":
        return [(_EQUAL, 0, 1, number), answer]
    allowed = (_ANSWER, 0, 0, _ALLOW)
    place = _AT_ARGUMENTS + 8 * one.argument
    if one.when == "from":
        steps = [(_LOAD, 0, 0, place + 4), (_EQUAL, 0, 2, 0), (_LOAD, 0, 0, place), (_AT_LEAST, 0, 1, one.values[0])]
        return [(_EQUAL, 0, len(steps) + 2, number), *steps, answer, allowed]
    last = len(one.values) - 1
    compare = _ANY_BIT if one.when == "any bit" else _EQUAL
    # Where a value fits: over the comparisons that are left to the answer, or with "none of" also over that.
    over = 1 if one.when == "none of" else 0
    tests = [
        (compare, last - number_of + over, (1 - over) if number_of == last else 0, value)
        for number_of, value in enumerate(one.values)
    ]
    steps = [(_LOAD, 0, 0, place), *tests, answer, allowed]
    return [(_EQUAL, 0, len(steps), number), *steps]

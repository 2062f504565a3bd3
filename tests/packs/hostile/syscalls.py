"""System calls that a confined program must not make, by the error that each ends with.

Their arguments make no sense, or do no harm: what is refused is refused before they are looked
at.
"""

import ctypes
import errno
import fcntl
import json
import os
import platform

# Number on x86-64, number on arm64, arguments.
NEW_USER, NEW_PID, NEW_NET, NEW_NS = 0x10000000, 0x20000000, 0x40000000, 0x00020000
NOWHERE = b"/nowhere"
CALLS = {
    "mount": (165, 40, NOWHERE, NOWHERE, b"tmpfs", 0, 0),
    "umount2": (166, 39, NOWHERE, 0),
    "pivot_root": (155, 41, NOWHERE, NOWHERE),
    "chroot": (161, 51, NOWHERE),
    "open_tree": (428, 428, -1, NOWHERE, 1),
    "move_mount": (429, 429, -1, NOWHERE, -1, NOWHERE, 0),
    "fsopen": (430, 430, b"no-such-file-system", 0),
    "mount_setattr": (442, 442, -1, NOWHERE, 0, 0, 0),
    "unshare user": (272, 97, NEW_USER),
    "unshare mounts": (272, 97, NEW_NS),
    "unshare network": (272, 97, NEW_NET),
    "setns": (308, 268, -1, 0),
    "clone user": (56, 220, NEW_USER | 17, 0, 0, 0, 0),
    "clone pid": (56, 220, NEW_PID | 17, 0, 0, 0, 0),
    "clone3": (435, 435, 0, 0),
    "ptrace": (101, 117, 0, 0, 0, 0),
    "process_vm_readv": (310, 270, 1, 0, 0, 0, 0, 0),
    "process_vm_writev": (311, 271, 1, 0, 0, 0, 0, 0),
    "pidfd_getfd": (438, 438, -1, 0, 0),
    "kcmp": (312, 272, 1, 1, 0, 0, 0),
    "bpf": (321, 280, 0, 0, 0),
    "perf_event_open": (298, 241, 0, 0, -1, -1, 0),
    "io_uring_setup": (425, 425, 1, 0),
    "userfaultfd": (323, 282, 1),
    "add_key": (248, 217, b"user", b"x", b"x", 1, -3),
    "request_key": (249, 218, b"user", b"x", 0, -3),
    "keyctl": (250, 219, 0, -3, 0),
    "fanotify_init": (300, 262, 0, 0),
    "name_to_handle_at": (303, 264, -100, b"/", 0, 0, 0),
    "open_by_handle_at": (304, 265, -100, 0, 0),
    "kexec_load": (246, 104, 0, 0, 0, 0),
    "init_module": (175, 105, 0, 0, b""),
    "finit_module": (313, 273, -1, b"", 0),
    "delete_module": (176, 106, b"no-such-module", 0),
    "reboot": (169, 142, 0, 0, 0, 0),
    "swapon": (167, 224, NOWHERE, 0),
    "acct": (163, 89, NOWHERE),
    "quotactl": (179, 60, 0, NOWHERE, 0, 0),
    "syslog": (103, 116, 3, 0, 0),
    "settimeofday": (164, 170, 0, 0),
    "clock_settime": (227, 112, 0, 0),
    "sethostname": (170, 161, b"x", 1),
    "personality": (135, 92, 0x0040000),
}
TYPE_ON_TERMINAL = 0x5412

libc = ctypes.CDLL(None, use_errno=True)
machine = 1 if platform.machine() == "aarch64" else 0


def outcome(x86, arm, *arguments):
    parent = os.getpid()
    ctypes.set_errno(0)
    result = libc.syscall(
        *(
            ctypes.c_long(part) if isinstance(part, int) else part
            for part in ((x86, arm)[machine], *arguments)
        )
    )
    if os.getpid() != parent:
        os._exit(0)
    return errno.errorcode[ctypes.get_errno()] if result == -1 else "done"


def typed():
    try:
        fcntl.ioctl(0, TYPE_ON_TERMINAL, b"x")
        return "done"
    except OSError as problem:
        return errno.errorcode[problem.errno]


answer = {name: outcome(*call) for name, call in CALLS.items()}
answer["type on a terminal"] = typed()
if machine == 0:
    X32 = 0x40000000
    answer["x32 getpid"] = outcome(X32 + 39, 0)
print(json.dumps(answer))

"""What a sandbox has not got: the one table, and the words that name the way out.

`refusals.py` puts them where a script runs into what is missing.
"""

import hashlib
import os
import signal
import types

_NATIVE = "use a native runner (see runtimes/python/README.md)"

# What is missing, and what to use instead, where there is something.
Feature = tuple[str, str | None]

THREADS = ("threads are", "use asyncio")
PROCESSES = ("child processes are", None)
_SIGNALS = ("signals are", "use asyncio.timeout()")
_TERMINAL = ("a terminal is", None)
_USERS = ("the user database is", None)
_DESKTOP = ("a desktop is", None)
_SHARED_MEMORY = ("shared memory is", None)
_FOREIGN_CODE = ("loading native libraries (ctypes) is", None)
_KEY_DERIVATION = ("OpenSSL's key derivation is", None)
_LOCKS = ("file locking (fcntl) is", None)


def _compression(name: str) -> Feature:
    return f"{name} compression is", "use gzip or zlib"


MODULES: dict[str, Feature] = {
    "_bz2": _compression("bz2"),
    "_ctypes": _FOREIGN_CODE,
    "_curses": _TERMINAL,
    "_dbm": ("the dbm library is", "use sqlite3"),
    "_gdbm": ("the gdbm library is", "use sqlite3"),
    "_interpreters": ("subinterpreters are", "use asyncio"),
    "_lzma": _compression("lzma"),
    "_multiprocessing": PROCESSES,
    "_posixshmem": _SHARED_MEMORY,
    "_posixsubprocess": PROCESSES,
    "_tkinter": _DESKTOP,
    "_zstd": _compression("zstd"),
    "curses": _TERMINAL,
    "ensurepip": ("installing packages is", "put them into the pack's lib folder"),
    "fcntl": _LOCKS,
    "grp": _USERS,
    "idlelib": _DESKTOP,
    "mmap": ("mapping files into memory (mmap) is", "read the file"),
    "pwd": _USERS,
    "readline": _TERMINAL,
    "resource": ("resource limits are", "the host sets the limits of an action"),
    "syslog": ("syslog is", "print to stderr"),
    "termios": _TERMINAL,
    "tkinter": _DESKTOP,
    "turtle": _DESKTOP,
    "turtledemo": _DESKTOP,
    "venv": ("installing packages is", "put them into the pack's lib folder"),
    "webbrowser": _DESKTOP,
}

_OS_PROCESSES = """
    execl execle execlp execlpe execv execve execvp execvpe fork forkpty kill killpg pipe pipe2
    posix_spawn posix_spawnp spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe system
    wait wait3 wait4 waitid waitpid WNOHANG
"""
_OS_USERS = "chown getgid getlogin getuid setgid setuid"
_SIGNAL_NAMES = "SIGALRM alarm getitimer pause pthread_kill setitimer sigwait"

ATTRIBUTES: dict[types.ModuleType, dict[str, Feature]] = {
    os: dict.fromkeys(_OS_PROCESSES.split(), PROCESSES) | dict.fromkeys(_OS_USERS.split(), _USERS),
    signal: dict.fromkeys(_SIGNAL_NAMES.split(), _SIGNALS),
    hashlib: dict.fromkeys(("pbkdf2_hmac", "scrypt"), _KEY_DERIVATION),
}


def message(feature: Feature, name: str | None = None) -> str:
    """The text of the error that a script gets."""
    what, instead = feature
    prefix = f"{name}: " if name else ""
    advice = f"{instead}, or {_NATIVE}" if instead else _NATIVE
    return f"{prefix}{what} not available in Attune's Python sandbox; {advice}"

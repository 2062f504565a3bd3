"""Everything that can be seen of files: what there is, and where something can be made."""

import json
import os

SEARCHED = ("/bin", "/lib", "/lib64", "/sbin", "/usr", "/proc")


def folders():
    for folder, below, _ in os.walk("/"):
        below[:] = [name for name in below if os.path.join(folder, name) not in SEARCHED]
        yield folder


def can_make(folder):
    path = os.path.join(folder, "made-by-a-guest")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except OSError:
        return False
    os.unlink(path)
    return True


def devices():
    for name in os.listdir("/dev"):
        if not os.path.islink(f"/dev/{name}") and not os.path.isdir(f"/dev/{name}"):
            yield name


def privileged():
    """Programs that would change the user, on a file system where they can."""
    for folder in ("/usr/bin", "/usr/sbin", "/pack/actions"):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            with_rights = os.path.isfile(path) and os.stat(path).st_mode & 0o6000
            if with_rights and not os.statvfs(path).f_flag & os.ST_NOSUID:
                yield path


seen = list(folders())
answer = {
    "root": sorted(os.listdir("/")),
    "etc": sorted(os.listdir("/etc")),
    "dev": sorted(devices()),
    "pack": sorted(os.listdir("/pack")),
    "tmp": sorted(os.listdir("/tmp")) + sorted(os.listdir("/dev/shm")),
    "writable": [folder for folder in seen if can_make(folder)],
    "usr_writable": [f for f, _, _ in os.walk("/usr") if os.access(f, os.W_OK)],
    "privileged": list(privileged()),
    "mounts": open("/proc/self/mountinfo").read(),
}
print(json.dumps(answer))

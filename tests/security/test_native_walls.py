"""What a hostile program finds when it looks for a way out of a native run."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import archives
from support.api import Api, data
from support.native import (
    Program,
    Programs,
    Shell,
    hostile,
    native,
    native_files,
    shell,
)
from support.packs import archive_files, small_pack, unique
from support.peer import PRIVATE, Peer, answering
from support.processes import marked, tree
from support.runs import going_on
from support.server import HOST_CANARY, LOGIN, ROOT, Server

NAMES = ("look", "world", "who", "syscalls", "sockets", "neighbour")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture
def guest(admin: Api) -> Programs:
    programs = {name: hostile(name, output_format="json") for name in NAMES}
    return Programs(admin, **programs)


# Files.


def test_files_of_the_host(admin: Api, guest: Programs, server: Server, tmp_path: Path) -> None:
    other = unique("victim")
    data(admin.upload(small_pack(other)), 201)
    packs = [path for path in server.data.rglob("pack.yaml") if other in path.read_text()]
    assert packs, "the control: the other pack is somewhere in the data folder"
    for_everybody = tmp_path / "for-everybody"
    for_everybody.write_text("x")
    for_everybody.chmod(0o777)
    files = [
        *("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/root/.profile", "/root/.bashrc"),
        *(str(server.data / "attune.db"), str(server.log), str(for_everybody), str(packs[0])),
        *(str(ROOT / "Cargo.toml"), __file__, "/proc/1/environ", "/proc/1/mem", "/proc/1/maps"),
        *(
            "/dev/mem",
            "/dev/kmsg",
            "/dev/sda",
            "/dev/vda",
            "/dev/fuse",
            "/proc/kcore",
        ),
        *("/proc/1/root/etc/shadow", "/proc/1/cwd/pack.yaml", "/proc/1/fd/0"),
        *(f"../../{other}/pack.yaml", "/pack/../../etc/shadow", "/run/docker.sock"),
        *("/run/attune/script", "/sys/kernel/uevent_seqnum", "/var/log/dpkg.log"),
    ]
    folders = ["/root", "/home", "/var/lib", "/sys", "/boot", "/opt", "/srv", "/media", "/mnt"]
    folders += [str(server.data), str(server.data.parent), str(ROOT), "/proc/1/root", "/proc/1/fd"]
    answer = guest.data("look", {"read": files, "list": folders})
    assert {path: told for path, told in answer["read"].items() if "refused" not in told} == {}
    assert {path: told for path, told in answer["list"].items() if "refused" not in told} == {}
    assert HOST_CANARY not in str(answer)
    own = guest.data("look", {"read": ["pack.yaml"], "list": ["/usr/bin"]})
    assert guest.ref in own["read"]["pack.yaml"], "the control: its own files can be read"
    assert "'env'" in own["list"]["/usr/bin"]


def test_what_must_not_be_written(guest: Programs) -> None:
    files = [
        *("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname"),
        *("/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register", "/proc/1/oom_score_adj"),
        *("/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups", "/proc/1/mem"),
        *("/etc/passwd", "/etc/hosts", "/etc/ld.so.cache", "/usr/bin/env", "/pack/pack.yaml"),
        *("/dev/mem", "/dev/kmsg", "/dev/console", "/dev/tty", "/dev/ptmx", "/sys/power/state"),
    ]
    written = guest.data("look", {"write": [*files, "/dev/null"]})["write"]
    assert written.pop("/dev/null") == "'opened'", "the control"
    # Opened, these still take nothing from who has no rights.
    for path in ("/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups"):
        written.pop(path)
    assert {path: told for path, told in written.items() if "refused" not in told} == {}


def test_all_there_is_to_see(guest: Programs, server: Server) -> None:
    world = guest.data("world")
    programs = "bin sbin usr lib lib32 lib64 libx32".split()
    assert set(world["root"]) <= {*programs, *"dev etc pack proc run tmp var".split()}
    secret = {"shadow", "gshadow", "ssh", "sudoers", "sudoers.d", "machine-id", "fstab", "attune"}
    assert secret.isdisjoint(world["etc"])
    assert set(world["dev"]) <= set("null zero full random urandom".split())
    assert set(world["pack"]) == {"pack.yaml", "actions"}
    assert world["tmp"] == []
    scratch = {"/tmp", "/var/tmp", "/run/tmp", "/dev/shm", "/run/shm"}
    assert "/tmp" in world["writable"]
    assert set(world["writable"]) <= scratch
    assert world["usr_writable"] == []
    assert world["privileged"] == []
    # Where its own pack is on the host is all that is told of the host's folders.
    shown = [line for line in world["mounts"].splitlines() if str(server.home) in line]
    assert len(shown) == 1
    assert shown[0].split()[4] == "/pack"


def test_rights_in_an_archive_are_not_kept(admin: Api) -> None:
    ref = unique("hostile")
    programs = {"run": shell("stat -c %a actions/run.sh actions/tool; umask")}
    files = native_files(ref, programs) | {"actions/tool": b"#!/bin/sh\nid -u\n"}
    archive = archives.with_modes(files, {"actions/tool": 0o6777, "actions/run.sh": 0o7666})
    data(admin.upload(archive), 201)
    assert admin.result(f"{ref}.run")["stdout"].splitlines()[:2] == ["644", "755"]


@pytest.mark.parametrize(
    "make",
    [archives.symlink, archives.symlink_then_file, archives.hardlink, archives.device],
    ids=lambda make: make.__name__,
)
def test_links_in_an_archive_are_refused(admin: Api, make: object) -> None:
    assert callable(make)
    assert admin.upload(make(unique("hostile"))).status_code in range(400, 500)


@pytest.mark.parametrize("target", ["/bin/sh", "/etc/passwd", "../../../bin/sh", "run.sh"])
def test_an_entry_point_that_is_a_link_is_refused(admin: Api, target: str) -> None:
    ref = unique("hostile")
    programs = {"run": native("")}
    archive = archives.with_link(native_files(ref, programs), "actions/run", target)
    assert admin.upload(archive).status_code in range(400, 500)


@pytest.mark.parametrize("runner", ["native", "shell"])
@pytest.mark.parametrize(
    "entry_point",
    ["/bin/echo", "../../../bin/echo", "../../usr/bin/echo", "/proc/self/exe", "", ".", "a\0b"],
)
def test_an_entry_point_outside_of_the_pack_is_never_run(
    admin: Api, runner: str, entry_point: str
) -> None:
    ref = unique("hostile")
    files = native_files(ref, {"run": Program(runner, "", {"entry_point": entry_point})})
    response = admin.upload(archive_files(files, executable=["actions/run"]))
    if response.status_code == 201:
        result = admin.run(f"{ref}.run")["result"]
        assert result["succeeded"] is False
        assert result["failure_reason"] == "setup", result
        assert "stdout" not in result
    else:
        assert 400 <= response.status_code < 500


# Processes.


def test_it_is_nobody_and_can_become_nobody_else(guest: Programs) -> None:
    who = guest.data("who")
    nothing = "0" * 16
    assert who["status"] == {
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), nothing),
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    assert 0 not in who["user"][:4]
    assert 0 not in who["user"][4]
    assert who["becomes_root"] == [False, False, False]
    assert who["core"] == [0, 0]
    assert 0 < who["processes"][1] <= 4096
    assert who["more"] is False
    assert who["nicer"] is False
    assert who["terminal"] is False
    assert who["own_session"] is True
    assert who["signals"] == []
    assert who["host"] != socket.gethostname()


def test_three_descriptors_are_open(guest: Programs, admin: Api) -> None:
    assert guest.data("who")["descriptors"] == [0, 1, 2]
    # Bash has its script open, which is for nobody else.
    look = "import os; print([n for n in range(3, 300) if os.path.exists(f'/proc/self/fd/{n}')])"
    assert Shell(admin).says(f'python3 -c "{look}"') == "[]"


def test_other_processes_are_not_there(guest: Programs, server: Server) -> None:
    commands = guest.data("who")["commands"]
    assert 1 <= len(commands) <= 3, commands
    assert sum("who.py" in command for command in commands.values()) == 1
    for word in ("serve", "pytest", "postgres", HOST_CANARY, str(server.data)):
        assert word not in str(commands)


def test_the_server_cannot_be_signalled(admin: Api, server: Server) -> None:
    script = Shell(admin)
    pids = " ".join(map(str, tree(server.pid)))
    told = script.says(
        f"for pid in {pids} {os.getpid()}; do kill -0 $pid 2>&- && echo $pid; done; :"
    )
    assert told == ""
    ended = script.run("kill -9 -1 || kill -9 0; sleep 600")
    assert ended["status"] == "failed"
    assert ended["result"]["exit_code"] == 137
    assert script.says("for sig in 9 15 19; do kill -$sig 1 2>&- || :; done; echo here") == "here"
    assert server.running


def test_outside_it_is_not_root(admin: Api) -> None:
    script = Shell(admin)
    sign = unique("sign")
    action = script.action("echo begun; sleep 600 & wait")
    number = admin.submit(action, env_vars={"SIGN": sign})["id"]
    with going_on(admin, number, sign, processes=2):
        for pid in marked(sign):
            status = Path(f"/proc/{pid}/status").read_text()
            uids = next(line for line in status.splitlines() if line.startswith("Uid:"))
            assert "0" not in uids.split()[1:]
            cmdline = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"begun" not in cmdline, "the script is not among the arguments"


def test_the_server_s_environment_is_nowhere(admin: Api) -> None:
    script = Shell(admin)
    told = script.says("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>&1 | tr '\\0' '\\n'; env")
    for secret in (HOST_CANARY, LOGIN, "JWT_SECRET", "BOOTSTRAP"):
        assert secret not in told


def test_system_calls(guest: Programs) -> None:
    answers = guest.data("syscalls")
    allowed = {"EPERM", "ENOSYS", "EACCES"}
    assert {name: told for name, told in answers.items() if told not in allowed} == {}


def test_programs_that_change_the_user_do_not(admin: Api) -> None:
    script = Shell(admin)
    for program in ("su", "mount", "passwd", "newgrp", "chsh", "sudo", "pkexec", "unshare"):
        told = script.says(
            f"({program} -c id root || {program}) < /dev/null 2>&1 | head -c 2000; :"
        )
        assert "uid=0" not in told
    assert script.says("unshare --user --map-root-user id -u 2>&- || echo refused") == "refused"
    assert script.says("strace -f true 2>&- || echo refused") == "refused"


# The network.


@pytest.fixture
def listeners() -> Iterator[tuple[list[tuple[str, int]], list[str]]]:
    """Addresses of this machine that somebody listens at; nobody must come."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(answering(OK), host)) for host in ("0.0.0.0", "::")]
        abstract = unique("attune-test")
        for name in ("\0" + abstract,):
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(name)
            listening.listen()
        four, six = (peer.port for peer in peers)
        hosts = {"127.0.0.1", "127.0.0.2", PRIVATE, "0.0.0.0", own_address()}
        yield [*((host, four) for host in sorted(hosts)), ("::1", six)], [abstract]
        assert not [visit for peer in peers for visit in peer.visits]
        listening.settimeout(0)
        with pytest.raises(BlockingIOError):
            listening.accept()


def own_address() -> str:
    """By which others know this machine; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address


def test_there_is_no_network(
    guest: Programs, server: Server, listeners: tuple[list[tuple[str, int]], list[str]]
) -> None:
    addresses, abstract = listeners
    api = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
    nowhere = [("192.0.2.1", 443), ("169.254.169.254", 80), ("fd00:ec2::254", 80)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("0.0.0.0", 0))
        datagrams.settimeout(0)
        udp = [(host, datagrams.getsockname()[1]) for host in ("127.0.0.1", own_address())]
        given = {
            "tcp": [*addresses, api, *nowhere],
            "udp": [*udp, ("192.0.2.1", 53), ("127.0.0.1", 53)],
            "unix": ["/run/docker.sock", "/run/dbus/system_bus_socket", "/dev/log"],
            "abstract": abstract,
            "names": ["example.test", socket.gethostname() + ".test"],
        }
        answer = guest.data("sockets", given)
        with pytest.raises(BlockingIOError):
            datagrams.recv(100)
    for kind in ("kinds", "tcp", "udp", "unix", "abstract", "names"):
        reached = {name: told for name, told in answer[kind].items() if "refused" not in told}
        assert reached == {}, kind
    assert (answer["itself"], answer["door"]) == ("done", "done"), "the control"
    assert answer["interfaces"] == ["lo"]
    assert answer["routes"].splitlines()[1:] == []


def test_one_port_is_open(admin: Api) -> None:
    """Whoever looks beside the door finds nothing."""
    script = Shell(admin)
    listening = "cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 | grep -v local"
    [door] = script.says(listening).splitlines()
    # In the kernel's words: 127.0.0.1, 3128, listening.
    assert door.split()[1:4] == ["0100007F:0C38", "00000000:0000", "0A"]
    assert script.says("tail -n +2 /proc/net/unix") == ""


# Runs and each other.


def test_runs_at_the_same_time_do_not_see_each_other(guest: Programs) -> None:
    first, second = (guest.begun("neighbour", stays=True) for _ in range(2))
    with going_on(guest.api, first), going_on(guest.api, second):
        assert guest.data("neighbour") == []


def test_runs_after_each_other_do_not_see_each_other(guest: Programs) -> None:
    for _ in range(5):
        assert guest.data("neighbour") == []


def test_runs_of_other_actions_do_not_see_each_other(admin: Api) -> None:
    packs = [Programs(admin, run=hostile("neighbour", output_format="json")) for _ in range(2)]
    with going_on(admin, packs[0].begun("run", stays=True)):
        assert packs[1].data("run") == []


def test_a_second_run_cannot_be_looked_into(admin: Api) -> None:
    """Not even by whoever has the same user inside."""
    script = Shell(admin)
    secret = unique("secret")
    number = script.begun("echo begun; echo $word > /tmp/word; sleep 600", word=secret)
    look = "cat /proc/*/root/tmp/word /tmp/word /run/*/word 2>&- || echo nothing"
    with going_on(admin, number):
        assert script.says(look) == "nothing"


def test_the_host_s_folders_hold_nothing_of_a_run(admin: Api, server: Server) -> None:
    script = Shell(admin)
    name = unique("file")
    number = script.begun("echo begun; echo x > /tmp/$name; sleep 600", name=name)
    with going_on(admin, number):
        assert list(server.data.rglob(name)) == []
        assert not Path(f"/tmp/{name}").exists()


def test_a_pack_cannot_be_taken_over(admin: Api) -> None:
    """What one run writes over its own action, or over bash, the next one does not see."""
    text = """
        for file in actions/say.sh /bin/sh /usr/bin/env /etc/profile; do
            echo 'echo taken over' > $file
        done
        true
    """
    pack = Programs(admin, write=shell(text), say=shell("echo all is well"))
    pack.run("write")
    assert pack.says("say") == "all is well"

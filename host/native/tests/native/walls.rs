//! What programs attempt.

use std::fs;
use std::future::pending;
use std::os::unix::fs::PermissionsExt;

use attune_domain::native::{Interpreter, NativeRunner};

use crate::Case;
use crate::host::{Host, Written};

/// Python in which an attempt is a function, and each is reported by its name.
const ATTEMPTS: &str = r"
import ctypes, errno, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)

def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def report(**attempts):
    for name, attempt in attempts.items():
        try:
            attempt()
            print(name, 'succeeded')
        except OSError as error:
            print(name, errno.errorcode.get(error.errno, error))
";

pub(crate) const TRIALS: &[Case] = &[
    ("the_door_is_open", |host| {
        let code = "import os, urllib.request as r\n\
                    print(r.build_opener(r.ProxyHandler({})).open(os.environ['ATTUNE_API_URL']).read())\n\
                    print(r.urlopen('http://example.com/').read())";
        assert_eq!(host.run(host.python(code)).well(), "b'tests.action'\nb'tests.action'\n");
    }),
    ("there_is_no_other_way_out", |host| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let attempts = format!(
            "{ATTEMPTS}
def udp(to): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', to)
report(
    tcp_out=lambda: socket.create_connection(('192.0.2.1', 80), 5),
    tcp_of_host=lambda: socket.create_connection(('127.0.0.1', {port}), 5),
    udp_out=lambda: udp(('192.0.2.1', 53)),
    raw=lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    packet=lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    netlink=lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    vsock=lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM),
    alg=lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
)
print(sorted(os.listdir('/sys/class/net')) if os.path.exists('/sys') else 'no /sys')"
        );
        let expected = "tcp_out ENETUNREACH\ntcp_of_host ECONNREFUSED\nudp_out ENETUNREACH\n\
                        raw EPERM\npacket EPERM\nnetlink EPERM\nvsock EPERM\nalg EPERM\nno /sys\n";
        assert_eq!(host.run(host.python(&attempts)).well(), expected);
    }),
    ("system_calls_that_are_for_others_are_refused", |host| {
        let attempts = format!(
            "{ATTEMPTS}
NEWUSER = 0x10000000
report(
    unshare=lambda: call(272, NEWUSER),
    clone=lambda: call(56, NEWUSER | 17, 0, 0, 0, 0),
    clone3=lambda: call(435, 0, 0),
    setns=lambda: call(308, 0, 0),
    mount=lambda: call(165, b'x', b'/tmp', b'tmpfs', 0, 0),
    umount=lambda: call(166, b'/proc', 2),
    chroot=lambda: call(161, b'/tmp'),
    pivot_root=lambda: call(155, b'/tmp', b'/tmp'),
    move_mount=lambda: call(429, 0, b'', 0, b'', 0),
    ptrace=lambda: call(101, 0, 0, 0, 0),
    process_vm=lambda: call(310, 1, 0, 0, 0, 0, 0),
    bpf=lambda: call(321, 0, 0, 0),
    perf=lambda: call(298, 0, 0, 0, 0, 0),
    io_uring=lambda: call(425, 1, 0),
    keyctl=lambda: call(250, 0, 0),
    userfaultfd=lambda: call(323, 0),
    open_by_handle=lambda: call(304, 0, 0, 0),
    personality=lambda: call(135, 0x0040000),
    reboot=lambda: call(169, 0, 0, 0, 0),
    x32=lambda: call(0x40000000 | 165, b'x', b'/tmp', b'tmpfs', 0, 0),
    memfd=lambda: call(319, b'x', 0),
    tiocsti=lambda: call(16, 0, 0x5412, b'x'),
    kill_init=lambda: os.kill(1, 9),
    limit_init=lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0)),
    pin_init=lambda: os.sched_setaffinity(1, [0]),
    slow_init=lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
    slow_user=lambda: os.setpriority(os.PRIO_USER, 0, 19),
)"
        );
        let ran = host.run(host.python(&attempts));
        for line in ran.well().lines() {
            let refused = ["EPERM", "ENOSYS"].iter().any(|errno| line.ends_with(errno));
            assert!(refused, "{line}");
        }
        assert_eq!(ran.out().lines().count(), 27);
    }),
    ("a_program_may_still_change_itself", |host| {
        let code = "import os, resource\n\
                    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n\
                    os.sched_setaffinity(0, os.sched_getaffinity(0))\n\
                    os.nice(1); os.setpriority(os.PRIO_PROCESS, os.getpid(), 5)\n\
                    print(os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE))";
        assert_eq!(host.run(host.python(code)).well(), "5 (64, 64)\n");
    }),
    ("there_are_no_capabilities_and_there_is_a_filter", |host| {
        let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status | tr -d '\\t'; \
                      ulimit -c; ulimit -u";
        let expected = "Groups:\nCapInh:0000000000000000\nCapPrm:0000000000000000\n\
                        CapEff:0000000000000000\nCapBnd:0000000000000000\n\
                        CapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n0\n256\n";
        let seen = host.run(host.script(script)).well().replace("Groups: ", "Groups:");
        let groups = seen.lines().next().unwrap().to_owned();
        assert!(!groups.contains(":0"), "{groups}");
        assert_eq!(seen.replace(&groups, "Groups:"), expected);
    }),
    ("outside_it_is_nobody", outside_it_is_nobody),
    ("files_of_the_host_are_not_there", files_of_the_host_are_not_there),
    ("a_pack_is_read_only", |host| {
        let script = "touch /pack/new; echo x >>/pack/a.sh; rm /pack/a.sh; chmod 777 /pack/a.sh; \
                      touch /etc/x /usr/x /x /dev/x /run/x; cat /pack/secret; ls /pack";
        let job = host.file(Interpreter::Bash, "a.sh", script);
        let secret = host.path("packs/1/pack/secret");
        fs::write(&secret, "readable\n").unwrap();
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
        let ran = host.run(job);
        assert_eq!(ran.out(), "readable\na.sh\nsecret\n");
        assert_eq!(fs::read_to_string(host.path("packs/1/pack/a.sh")).unwrap(), script);
    }),
    ("scratch_space_is_limited", |host| {
        let script = "head -c 3000000 /dev/zero >/tmp/a; echo $?; \
                      head -c 3000000 /dev/zero >/dev/shm/b; echo $?; rm /tmp/a /dev/shm/b; \
                      for i in {1..200}; do : >/tmp/$i || break; done 2>/dev/null; ls /tmp | wc -l";
        let mut job = host.script(script);
        job.limits.scratch_bytes = 4_000_000;
        job.limits.scratch_entries = 100;
        let ran = host.run(job);
        let mut lines = ran.well().lines();
        assert_eq!((lines.next(), lines.next()), (Some("0"), Some("1")));
        let files: u32 = lines.next().unwrap().parse().unwrap();
        assert!((100..110).contains(&files), "{files}");
    }),
    ("programs_can_be_made_and_run_in_scratch_space", |host| {
        let script = "printf '#!/bin/sh\\necho made\\n' >/tmp/x; chmod +x /tmp/x; /tmp/x; \
                      mkdir /tmp/d; mv /tmp/x /tmp/d/y; ln -s y /tmp/d/z; /tmp/d/z; \
                      python3 -c 'import multiprocessing as m; print(m.Lock(), m.Pool(2).map(abs, [-1]))'";
        let ran = host.run(host.script(script));
        assert!(ran.well().starts_with("made\nmade\n"));
        assert!(ran.out().ends_with("[1]\n"), "{ran:?}");
    }),
    ("other_processes_are_not_seen", |host| {
        let script =
            "ls -d /proc/[0-9]* | wc -l; cat /proc/1/environ; kill -9 1; kill -TERM -1; echo alive";
        let ran = host.run(host.script(script));
        // Its init, itself, and two for the pipeline; the last signal is for itself as well.
        assert_eq!(ran.out(), "4\nalive\n");
    }),
    ("runs_do_not_see_each_other", |host| {
        let script = "echo $$ >/tmp/here; python3 -c \"
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind('\\0attune-test'); s.listen()
t = socket.socket(); t.bind(('127.0.0.1', 4000)); t.listen()
time.sleep(0.5)\"; ls /tmp";
        let (one, other) = host.runtime.block_on(async {
            tokio::join!(host.ran(host.script(script)), host.ran(host.script(script)))
        });
        assert_eq!((one.well(), other.well()), ("here\n", "here\n"));
    }),
    ("too_many_processes_are_an_error_inside", |host| {
        let code = "import os, time\nchildren = 0\ntry:\n    while children < 1000:\n\
                    \x20       if os.fork() == 0: time.sleep(1000)\n        children += 1\n\
                    except BlockingIOError:\n    print(children)";
        let children: u32 = host.run(host.python(code)).well().trim().parse().unwrap();
        // With itself and the init, 256.
        assert_eq!(children, 254);
        assert!(host.alive().is_empty());
    }),
];

/// As the host sees it: not root, and with a server that is root nobody else that is there.
fn outside_it_is_nobody(host: &Host) {
    let (mut sink, mut seen) = Written::new();
    let native = host.native.clone();
    let uids = host.runtime.block_on(async {
        let job = host.script("echo ready; sleep 1000");
        // The look is taken while the run goes on: `select` drops it before a branch's own code.
        let look = async {
            seen.wait_for(|bytes| *bytes > 0).await.unwrap();
            host.program_uids()
        };
        tokio::select! {
            report = native.run(job, &mut sink, Box::pin(pending())) => panic!("{report:?}"),
            uids = look => uids,
        }
    });
    let own = rustix::process::geteuid();
    let expected = if own.is_root() { 64_000..65_000 } else { own.as_raw()..own.as_raw() + 1 };
    assert!(!uids.is_empty() && uids.iter().all(|uid| expected.contains(uid)), "{uids:?}");
}

fn files_of_the_host_are_not_there(host: &Host) {
    let other_pack = host.path("packs/2/other");
    fs::create_dir_all(&other_pack).unwrap();
    fs::write(other_pack.join("file"), "x").unwrap();
    let data = host.path("data");
    fs::write(&data, "x").unwrap();
    let script = format!(
        "for f in /root /home /etc/shadow /etc/ssl/private /sys /boot /opt /srv /work /var/lib \
         /var/run /run/docker.sock /dev/vda /dev/kmsg /dev/mem {} {} /proc/1/root /proc/1/cwd; do \
         if [ -e $f ] || ls $f; then echo $f; fi; done 2>/dev/null; \
         ls /; cut -d: -f1 /etc/passwd",
        other_pack.join("file").display(),
        data.display(),
    );
    let ran = host.run(host.script(&script));
    // Folders of programs differ between distributions.
    let lib: fn(&&str) -> bool = |name| !name.starts_with("lib");
    let seen: Vec<_> = ran.well().lines().filter(lib).collect();
    let expected = ["bin", "dev", "etc", "pack", "proc", "run", "sbin", "tmp", "usr", "var"];
    assert_eq!(seen[..expected.len()], expected, "{seen:?}");
    assert_eq!(seen[expected.len()..], ["root", "attune", "nobody"]);
}

//! What prisoners attempt. Each says whether it succeeded.

#![expect(unsafe_code, reason = "an attacker makes system calls as he likes")]
#![expect(clippy::cast_sign_loss, reason = "the kernel takes flags and -1 as registers")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};

use rustix::process::{Signal, kill_process, setpriority_process, test_kill_process};

use crate::prison::{Attempt, World};

/// A descriptor that the parent left open.
pub(crate) const LEFT_OPEN: i32 = 77;

/// Two of `linux/fcntl.h` that the libc crate has not.
const F_SETSIG: libc::c_int = 10;
const DN_CREATE: usize = 4;

/// All must fail.
pub(crate) const FORBIDDEN: &[(&str, Attempt)] = &[
    // Files.
    ("read_etc_passwd", |_| File::open("/etc/passwd").is_ok()),
    ("read_a_file_outside", |world| fs::read(world.outside.join("file")).is_ok()),
    ("read_upwards", |world| fs::read(world.pack.join("../outside/file")).is_ok()),
    ("read_through_a_link", |world| fs::read(world.pack.join("link")).is_ok()),
    ("read_through_a_new_link", |world| {
        let link = world.scratch.join("link");
        symlink("/etc/passwd", &link).is_ok() && fs::read(link).is_ok()
    }),
    ("read_an_inherited_descriptor", |_| {
        let mut byte = [0_u8];
        // SAFETY: reads one byte into one byte.
        unsafe { libc::read(LEFT_OPEN, byte.as_mut_ptr().cast(), 1) == 1 }
    }),
    ("list_the_root", |_| fs::read_dir("/").is_ok()),
    ("list_the_folder_above", |world| fs::read_dir(world.pack.join("..")).is_ok()),
    ("write_outside", |world| fs::write(world.outside.join("new"), "x").is_ok()),
    ("write_to_tmp", |_| fs::write("/tmp/attune-escaped", "x").is_ok()),
    ("open_a_device", |_| OpenOptions::new().write(true).open("/dev/null").is_ok()),
    ("write_in_the_pack", |world| fs::write(world.pack.join("new"), "x").is_ok()),
    ("change_a_pack_file", |world| {
        OpenOptions::new().append(true).open(world.pack.join("file")).is_ok()
    }),
    ("truncate_a_pack_file", |world| truncate(&world.pack.join("file"))),
    ("remove_a_pack_file", |world| fs::remove_file(world.pack.join("file")).is_ok()),
    ("rename_in_the_pack", |world| {
        fs::rename(world.pack.join("file"), world.pack.join("renamed")).is_ok()
    }),
    ("make_a_pack_file_executable", |world| {
        fs::set_permissions(world.pack.join("file"), fs::Permissions::from_mode(0o777)).is_ok()
    }),
    ("link_a_pack_file_into_scratch", |world| {
        fs::hard_link(world.pack.join("file"), world.scratch.join("linked")).is_ok()
    }),
    ("move_a_scratch_file_out", |world| {
        fs::rename(world.scratch.join("file"), world.outside.join("moved")).is_ok()
    }),
    ("make_a_fifo", |world| {
        call(
            libc::SYS_mknodat,
            [
                libc::AT_FDCWD as usize,
                c_path(&world.scratch.join("fifo")).as_ptr() as usize,
                (libc::S_IFIFO | 0o600) as usize,
                0,
            ],
        )
    }),
    // Network.
    ("connect_by_tcp", |world| TcpStream::connect(("127.0.0.1", world.tcp_port)).is_ok()),
    ("listen_by_tcp", |_| TcpListener::bind("127.0.0.1:0").is_ok()),
    ("use_udp", |_| UdpSocket::bind("127.0.0.1:0").is_ok()),
    ("connect_to_a_unix_socket", |world| UnixStream::connect(world.outside.join("socket")).is_ok()),
    ("listen_on_a_unix_socket", |world| UnixListener::bind(world.scratch.join("socket")).is_ok()),
    ("make_a_socket_pair", |_| UnixStream::pair().is_ok()),
    ("make_a_raw_socket", |_| call(libc::SYS_socket, [libc::AF_PACKET as usize, 3, 0, 0])),
    ("make_a_netlink_socket", |_| call(libc::SYS_socket, [libc::AF_NETLINK as usize, 3, 0, 0])),
    // Processes.
    ("execute_a_program", |_| Command::new("/bin/true").status().is_ok()),
    ("execute_from_scratch", |world| {
        let program = world.scratch.join("program");
        fs::write(&program, "#!/bin/true").is_ok() && Command::new(program).status().is_ok()
    }),
    ("execute_a_descriptor", |_| {
        let (path, arguments) = (c"/bin/true", [null::<libc::c_char>()]);
        call(
            libc::SYS_execveat,
            [
                libc::AT_FDCWD as usize,
                path.as_ptr() as usize,
                arguments.as_ptr() as usize,
                arguments.as_ptr() as usize,
            ],
        )
    }),
    ("fork", fork),
    ("signal_the_server", |world| test_kill_process(world.server).is_ok()),
    ("kill_the_server", |world| kill_process(world.server, Signal::TERM).is_ok()),
    ("kill_everybody", |_| call(libc::SYS_kill, [usize::MAX, 0, 0, 0])),
    ("signal_a_thread_of_the_server", |world| {
        let server = pid(world);
        call(libc::SYS_tgkill, [server, server, 0, 0])
    }),
    // The kernel sends a signal for whoever owns a descriptor: three steps, and none is free.
    ("make_the_server_own_a_descriptor", |world| fcntl(libc::F_SETOWN, pid(world))),
    ("make_its_signal_a_deadly_one", |_| fcntl(F_SETSIG, libc::SIGKILL as usize)),
    ("have_signals_sent_for_it", |_| fcntl(libc::F_SETFL, libc::O_ASYNC as usize)),
    ("have_changes_of_a_folder_signalled", |world| {
        let folder = File::open(&world.scratch).unwrap();
        let command = libc::F_NOTIFY as usize;
        call(libc::SYS_fcntl, [folder.as_raw_fd() as usize, command, DN_CREATE, 0])
    }),
    ("slow_the_server_down", |world| setpriority_process(Some(world.server), 1).is_ok()),
    ("open_the_server_by_pidfd", |world| call(libc::SYS_pidfd_open, [pid(world), 0, 0, 0])),
    ("trace_the_server", |world| {
        call(libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, pid(world), 0, 0])
    }),
    ("read_memory_of_the_server", |world| {
        let mut byte = 0_u8;
        let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        // Both processes run this binary; without randomisation the address would be the same.
        let remote = libc::iovec { iov_base: read_memory as *mut libc::c_void, iov_len: 1 };
        // SAFETY: the local buffer is one byte long, as it says.
        unsafe {
            libc::process_vm_readv(
                world.server.as_raw_nonzero().get(),
                &raw const local,
                1,
                &raw const remote,
                1,
                0,
            ) == 1
        }
    }),
    ("read_proc_mem", |world| read_memory(world)),
    ("read_proc_environ", |world| proc_file(world, "environ")),
    ("read_proc_cmdline", |world| proc_file(world, "cmdline")),
    ("read_proc_maps", |world| proc_file(world, "maps")),
    ("list_proc_fd", |world| fs::read_dir(format!("/proc/{}/fd", pid(world))).is_ok()),
    ("read_own_environ", |_| File::open("/proc/self/environ").is_ok()),
    ("write_own_oom_score", |_| fs::write("/proc/self/oom_score_adj", "-1").is_ok()),
    // The kernel.
    ("mount", |world| {
        call(
            libc::SYS_mount,
            [0, c_path(&world.scratch).as_ptr() as usize, c"tmpfs".as_ptr() as usize, 0],
        )
    }),
    ("new_namespaces", |_| call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0])),
    ("enter_a_namespace", |_| call(libc::SYS_setns, [0, 0, 0, 0])),
    ("change_the_root", |world| {
        call(libc::SYS_chroot, [c_path(&world.scratch).as_ptr() as usize, 0, 0, 0])
    }),
    ("load_bpf", |_| call_possible(libc::SYS_bpf, [0, 0, 0, 0])),
    ("watch_performance", |_| call_possible(libc::SYS_perf_event_open, [0, 0, 0, usize::MAX])),
    ("io_uring", |_| call_possible(libc::SYS_io_uring_setup, [1, 0, 0, 0])),
    ("keyring", |_| call_possible(libc::SYS_keyctl, [0, usize::MAX, 0, 0])),
    ("userfaultfd", |_| call(libc::SYS_userfaultfd, [0, 0, 0, 0])),
    ("memfd", |_| call(libc::SYS_memfd_create, [c"m".as_ptr() as usize, 0, 0, 0])),
    ("open_by_handle", |_| call_possible(libc::SYS_open_by_handle_at, [0, 0, 0, 0])),
    ("map_executable_memory", |_| map(libc::PROT_READ | libc::PROT_EXEC)),
    ("make_memory_executable", |_| {
        // SAFETY: a fresh mapping that nobody uses.
        unsafe {
            let page = libc::mmap(null_mut(), 4096, libc::PROT_READ, ANONYMOUS, -1, 0);
            libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC) == 0
        }
    }),
    // The walls themselves.
    ("raise_a_limit", |_| {
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
        // SAFETY: the limit is read only.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) == 0 }
    }),
    ("raise_its_priority", |_| setpriority_process(None, -5).is_ok()),
    ("outlive_the_server", |_| call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, 0, 0, 0])),
    ("become_traceable", |_| call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0])),
    ("a_later_thread_reads_outside", |_| {
        std::thread::spawn(|| File::open("/etc/passwd").is_ok()).join().unwrap()
    }),
];

/// Some of the above, to show that the attempts themselves are sound.
pub(crate) const WORKS_OUTSIDE: &[&str] = &[
    "read_etc_passwd",
    "read_upwards",
    "read_through_a_link",
    "read_an_inherited_descriptor",
    "write_in_the_pack",
    "truncate_a_pack_file",
    "connect_by_tcp",
    "listen_by_tcp",
    "connect_to_a_unix_socket",
    "make_a_socket_pair",
    "execute_a_program",
    "fork",
    "signal_the_server",
    "signal_a_thread_of_the_server",
    "make_the_server_own_a_descriptor",
    "make_its_signal_a_deadly_one",
    "have_signals_sent_for_it",
    "have_changes_of_a_folder_signalled",
    "slow_the_server_down",
    "open_the_server_by_pidfd",
    "read_proc_environ",
    "read_own_environ",
    "memfd",
    "map_executable_memory",
    "make_memory_executable",
    "a_later_thread_reads_outside",
];

/// What a runner needs; all must succeed.
pub(crate) const ALLOWED: &[(&str, Attempt)] = &[
    ("read_the_pack", |world| {
        fs::read(world.pack.join("file")).is_ok_and(|content| content == b"content")
    }),
    ("list_the_pack", |world| fs::read_dir(&world.pack).is_ok_and(|list| list.count() == 2)),
    ("write_scratch", |world| {
        let path = world.scratch.join("new");
        fs::write(&path, "x").is_ok() && fs::read(path).is_ok()
    }),
    ("truncate_scratch", |world| {
        OpenOptions::new().write(true).open(world.scratch.join("file")).unwrap().set_len(1).is_ok()
    }),
    ("rename_between_scratch_folders", |world| {
        let folder = world.scratch.join("folder");
        fs::create_dir(&folder).is_ok()
            && fs::rename(world.scratch.join("file"), folder.join("file")).is_ok()
            && fs::remove_dir_all(folder).is_ok()
    }),
    ("copy_a_descriptor_that_does_not_block", |_| {
        fcntl(libc::F_DUPFD_CLOEXEC, 0) && fcntl(libc::F_SETFL, libc::O_NONBLOCK as usize)
    }),
    ("make_threads", |_| {
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(|| 1)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<i32>() == 8
    }),
    ("get_random_bytes_and_the_time", |_| {
        let mut bytes = [0_u8; 8];
        // SAFETY: fills the buffer, whose size it is told.
        let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 8, 0) };
        filled == 8 && std::time::SystemTime::now().elapsed().is_ok()
    }),
    ("use_much_memory", |_| {
        map(libc::PROT_READ | libc::PROT_WRITE) && vec![1_u8; 64 << 20][5] == 1
    }),
    ("speak_over_inherited_descriptors", |_| {
        let mut nothing = Vec::new();
        std::io::stdin().read_to_end(&mut nothing).is_ok() && std::io::stderr().write(b"").is_ok()
    }),
];

const ANONYMOUS: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

fn pid(world: &World) -> usize {
    usize::try_from(world.server.as_raw_nonzero().get()).unwrap()
}

/// Whether a system call succeeds.
fn call(number: libc::c_long, arguments: [usize; 4]) -> bool {
    result(number, arguments) >= 0
}

/// Whether this can be done with standard input.
fn fcntl(command: libc::c_int, argument: usize) -> bool {
    call(libc::SYS_fcntl, [0, command as usize, argument, 0])
}

/// Whether a system call gets as far as looking at its (wrong) arguments.
fn call_possible(number: libc::c_long, arguments: [usize; 4]) -> bool {
    result(number, arguments) >= 0
        || !matches!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EPERM))
}

fn result(number: libc::c_long, [a, b, c, d]: [usize; 4]) -> libc::c_long {
    // SAFETY: pointers among the arguments are valid C strings; what an attempt breaks is its own process.
    unsafe { libc::syscall(number, a, b, c, d, 0_usize) }
}

fn c_path(path: &Path) -> std::ffi::CString {
    std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap()
}

fn truncate(path: &Path) -> bool {
    // SAFETY: the path is a C string.
    unsafe { libc::truncate(c_path(path).as_ptr(), 0) == 0 }
}

fn map(protection: libc::c_int) -> bool {
    // SAFETY: a new mapping of no file at no certain address.
    unsafe { libc::mmap(null_mut(), 4096, protection, ANONYMOUS, -1, 0) != libc::MAP_FAILED }
}

fn fork(_: &World) -> bool {
    // SAFETY: the child ends at once.
    match unsafe { libc::fork() } {
        // SAFETY: ends this process without running anything of the parent's.
        0 => unsafe { libc::_exit(0) },
        child => child > 0,
    }
}

fn read_memory(world: &World) -> bool {
    File::open(format!("/proc/{}/mem", pid(world))).is_ok()
}

fn proc_file(world: &World, name: &str) -> bool {
    fs::read(format!("/proc/{}/{name}", pid(world))).is_ok()
}

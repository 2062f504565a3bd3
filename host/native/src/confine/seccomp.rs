//! Seccomp: which system calls a program may not make.
//!
//! A list of what is denied, unlike that of the sandbox's runners: a program may be anything. It
//! holds what only administrators of a machine need, what has let many programs out of
//! namespaces before, and what makes memory that nobody counts. Denied calls fail with EPERM,
//! or with ENOSYS where a library then tries another way.

use std::collections::BTreeMap;
use std::fs;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule, sock_filter,
};

use super::{WallError, failed};

/// Denied with any arguments.
const DENIED: &[libc::c_long] = &[
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // The kernel's larger and younger parts.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_vhangup,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
];

/// What only this architecture has.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[libc::c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
    libc::SYS_uselib,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[libc::c_long] = &[];

/// As if the kernel had them not. Of clone3 the flags cannot be looked at, so that libraries must
/// use `clone`; the others make memory that belongs to no process and to no scratch space.
const UNKNOWN: &[libc::c_long] =
    &[libc::SYS_clone3, libc::SYS_memfd_create, libc::SYS_memfd_secret, libc::SYS_shmget];

const FORBIDDEN: u32 = libc::EPERM as u32;
const NOT_IMPLEMENTED: u32 = libc::ENOSYS as u32;

const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;
/// Asks which personality there is, and changes none.
const PERSONALITY_QUERY: u64 = 0xffff_ffff;
/// In its own PID namespace.
const INIT: u64 = 1;
/// `PRIO_USER` and `IOPRIO_WHO_USER`: all processes of a user.
const PRIORITY_USER: u64 = 2;
const IO_PRIORITY_USER: u64 = 3;
/// Of a socket's type; the rest are flags.
const TYPE_MASK: u64 = 0xf;

/// Compiled once, installed in each run.
pub(crate) struct Filters(Vec<BpfProgram>);

impl Filters {
    pub(crate) fn compile() -> Result<Filters, WallError> {
        let failed = failed("seccomp");
        let denied = program(denied().map_err(&failed)?, FORBIDDEN).map_err(&failed)?;
        let unknown = UNKNOWN.iter().map(|call| (*call, vec![])).collect();
        let unknown = program(unknown, NOT_IMPLEMENTED).map_err(&failed)?;
        Ok(Filters(vec![native_calls_only(), unknown, denied]))
    }

    /// Of the answers that several filters give, the kernel takes the strictest.
    pub(super) fn install(&self) -> Result<(), WallError> {
        let mut programs = self.0.iter();
        programs
            .try_for_each(|program| seccompiler::apply_filter(program))
            .map_err(failed("seccomp"))
    }
}

fn program(
    rules: BTreeMap<libc::c_long, Vec<Rule>>,
    answer: u32,
) -> Result<BpfProgram, BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let (otherwise, matched) = (SeccompAction::Allow, SeccompAction::Errno(answer));
    SeccompFilter::new(rules, otherwise, matched, architecture)?.try_into()
}

fn denied() -> Result<BTreeMap<libc::c_long, Vec<Rule>>, BackendError> {
    let always = DENIED.iter().chain(DENIED_HERE).map(|call| (*call, vec![]));
    let mut rules: BTreeMap<_, _> = always.collect();
    rules.insert(libc::SYS_clone, any_flag_of(0, bits(NAMESPACES))?);
    rules.insert(libc::SYS_socket, sockets()?);
    rules.insert(libc::SYS_socketpair, sockets()?);
    let changes = compare(0, Compare::Ne, PERSONALITY_QUERY)?;
    rules.insert(libc::SYS_personality, vec![Rule::new(vec![changes])?]);
    hands_off_init(&mut rules)?;
    // To type on somebody's terminal.
    let typing = [libc::TIOCSTI, libc::TIOCLINUX];
    let typing = typing.map(|request| Rule::new(vec![compare(1, Compare::Eq, request)?]));
    rules.insert(libc::SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

/// The init has the program's user, so the kernel would let a program take its init's files,
/// its turns on the processor, or its memory away, and so its watch.
fn hands_off_init(rules: &mut BTreeMap<libc::c_long, Vec<Rule>>) -> Result<(), BackendError> {
    let named_first = [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
    ];
    for call in named_first {
        rules.insert(call, vec![Rule::new(vec![compare(0, Compare::Eq, INIT)?])?]);
    }
    let of_everybody =
        [(libc::SYS_setpriority, PRIORITY_USER), (libc::SYS_ioprio_set, IO_PRIORITY_USER)];
    for (call, user) in of_everybody {
        let init = Rule::new(vec![compare(1, Compare::Eq, INIT)?])?;
        let everybody = Rule::new(vec![compare(0, Compare::Eq, user)?])?;
        rules.insert(call, vec![init, everybody]);
    }
    Ok(())
}

/// Unix, IPv4 and IPv6 only, and none that makes its own packets.
fn sockets() -> Result<Vec<Rule>, BackendError> {
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let others = families.map(|family| compare(0, Compare::Ne, bits(family)));
    let raw = Condition::new(1, Width::Dword, Compare::MaskedEq(TYPE_MASK), bits(libc::SOCK_RAW))?;
    Ok(vec![Rule::new(others.into_iter().collect::<Result<_, _>>()?)?, Rule::new(vec![raw])?])
}

/// A rule for each flag: one that is set is enough.
fn any_flag_of(argument: u8, flags: u64) -> Result<Vec<Rule>, BackendError> {
    let single = (0..u64::BITS).map(|bit| 1 << bit).filter(|flag| flags & flag != 0);
    single
        .map(|flag| {
            let is_set = Condition::new(argument, Width::Dword, Compare::MaskedEq(flag), flag)?;
            Rule::new(vec![is_set])
        })
        .collect()
}

fn compare(argument: u8, how: Compare, value: u64) -> Result<Condition, BackendError> {
    Condition::new(argument, Width::Dword, how, value)
}

/// Flags of the C library are signed; none of these is negative.
fn bits(flags: libc::c_int) -> u64 {
    u64::from(flags.unsigned_abs())
}

/// The x32 calls of x86-64 have numbers of their own, beyond this one; a list of what is denied
/// would miss them all. (Other architectures, such as 32-bit x86, end the process.)
fn native_calls_only() -> BpfProgram {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_GREATER_OR_EQUAL: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const FIRST_FOREIGN_CALL: u32 = 0x4000_0000;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let instruction = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    vec![
        // The number of the call is the first of what a filter sees.
        instruction(LOAD_WORD, 0, 0),
        instruction(JUMP_IF_GREATER_OR_EQUAL, 1, FIRST_FOREIGN_CALL),
        instruction(RETURN, 0, ALLOW),
        instruction(RETURN, 0, ERRNO | NOT_IMPLEMENTED),
    ]
}

pub(crate) fn is_available() -> bool {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    // Without /proc/sys, a kernel that shows the mode of a process has the rest.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    actions.contains("errno") || status.contains("Seccomp:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_interpreter_needs_is_not_denied() {
        let denied = denied().unwrap();
        let needed =
            [libc::SYS_execve, libc::SYS_mmap, libc::SYS_connect, libc::SYS_kill, libc::SYS_futex];
        assert!(needed.iter().all(|call| !denied.contains_key(call) && !UNKNOWN.contains(call)));
        Filters::compile().unwrap();
    }
}

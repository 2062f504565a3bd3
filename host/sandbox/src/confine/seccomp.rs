//! Seccomp: which system calls a runner may make.
//!
//! An allow-list: what a current-thread tokio, wasmtime and wasmtime-wasi use
//! once everything is loaded, and nothing else. So there is no socket, no exec, no new
//! process, no ptrace, no mount, no bpf, no `io_uring`, no keyring, no userfaultfd, and no
//! executable mapping, because compiled code was mapped before. A call that is not on the
//! list fails with EPERM rather than killing the process: a libc that tries a new
//! call first and falls back must go on working.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare,
    SeccompCondition as Condition, SeccompFilter, SeccompRule as Rule,
};

use super::ConfineError;
use super::schedule::NICENESS;

/// Allowed with any arguments.
const ALLOWED: &[libc::c_long] = &[
    // Open files and folders; landlock says which.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_ftruncate,
    libc::SYS_utimensat,
    libc::SYS_fadvise64,
    // The connection to the server, which is open already.
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // Memory; see `CONDITIONAL` for mappings.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Threads. The other filter answers clone3.
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Traps of compiled code arrive as signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
];

/// Older names of the same calls.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[libc::c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_epoll_wait,
    libc::SYS_poll,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[libc::c_long] = &[];

/// Says to glibc that it must use `clone`, whose flags can be looked at.
const NOT_IMPLEMENTED: u32 = libc::ENOSYS as u32;
const FORBIDDEN: u32 = libc::EPERM as u32;

/// From now on this thread and those it makes can only call what is allowed.
pub(super) fn restrict() -> Result<(), ConfineError> {
    let failed = |error: seccompiler::Error| ConfineError::Seccomp(error.to_string());
    let programs = programs().map_err(|error| failed(error.into()))?;
    programs.iter().try_for_each(|program| seccompiler::apply_filter(program)).map_err(failed)
}

/// Of the answers that several filters give, the kernel takes the strictest. The
/// allow-list comes last, because nothing can be installed after it.
fn programs() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let allow_list = SeccompFilter::new(
        allowed()?,
        SeccompAction::Errno(FORBIDDEN),
        SeccompAction::Allow,
        architecture,
    )?;
    let no_clone3 = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, vec![])]),
        SeccompAction::Allow,
        SeccompAction::Errno(NOT_IMPLEMENTED),
        architecture,
    )?;
    Ok([no_clone3.try_into()?, allow_list.try_into()?])
}

fn allowed() -> Result<BTreeMap<libc::c_long, Vec<Rule>>, seccompiler::BackendError> {
    let free = ALLOWED.iter().chain(ALLOWED_HERE).map(|call| (*call, vec![]));
    let mut rules: BTreeMap<_, _> = free.collect();
    // No new executable code: neither mapped nor made so.
    let not_executable = masked(2, bits(libc::PROT_EXEC), 0)?;
    rules.insert(libc::SYS_mmap, vec![Rule::new(vec![not_executable.clone()])?]);
    rules.insert(libc::SYS_mprotect, vec![Rule::new(vec![not_executable])?]);
    // Threads, but no processes.
    let thread = bits(libc::CLONE_THREAD | libc::CLONE_VM);
    rules.insert(libc::SYS_clone, vec![Rule::new(vec![masked(0, thread, thread)?])?]);
    // A process may abort itself, and signal nobody else.
    let itself = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![Rule::new(vec![equals(0, itself)?])?]);
    // Names of threads and of mappings.
    rules.insert(
        libc::SYS_prctl,
        vec![
            Rule::new(vec![equals(0, bits(libc::PR_SET_NAME))?])?,
            Rule::new(vec![equals(0, bits(libc::PR_SET_VMA))?])?,
        ],
    );
    // A thread may step back behind others; it cannot come forward, nor move anybody else.
    let process = equals(0, u64::from(libc::PRIO_PROCESS))?;
    let steps_back = vec![process, equals(1, 0)?, equals(2, bits(NICENESS))?];
    rules.insert(libc::SYS_setpriority, vec![Rule::new(steps_back)?]);
    // Reading its own limits, which making a thread does; setting none.
    let itself = equals(0, 0)?;
    let nothing_new = Condition::new(2, Width::Qword, Compare::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![Rule::new(vec![itself, nothing_new])?]);
    rules.insert(libc::SYS_ioctl, vec![Rule::new(vec![equals(1, libc::FIONBIO)?])?]);
    rules.insert(libc::SYS_fcntl, descriptor_commands()?);
    Ok(rules)
}

/// What may be done with a descriptor. Not on the list: to name a process that the kernel
/// is to signal when something happens to it, and which signal; nor to ask for such signals.
fn descriptor_commands() -> Result<Vec<Rule>, seccompiler::BackendError> {
    let harmless = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC];
    let mut rules = Vec::new();
    for command in harmless {
        rules.push(Rule::new(vec![equals(1, bits(command))?])?);
    }
    let no_signals = masked(2, bits(libc::O_ASYNC), 0)?;
    rules.push(Rule::new(vec![equals(1, bits(libc::F_SETFL))?, no_signals])?);
    Ok(rules)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<Condition, seccompiler::BackendError> {
    Condition::new(argument, Width::Dword, Compare::MaskedEq(mask), value)
}

fn equals(argument: u8, value: u64) -> Result<Condition, seccompiler::BackendError> {
    Condition::new(argument, Width::Dword, Compare::Eq, value)
}

/// Flags of the C library are signed; none of these is negative.
fn bits(flags: libc::c_int) -> u64 {
    u64::from(flags.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_reaches_outside_is_allowed() {
        let allowed = allowed().unwrap();
        for call in [
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_pidfd_open,
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_userfaultfd,
            libc::SYS_keyctl,
            libc::SYS_memfd_create,
        ] {
            assert!(!allowed.contains_key(&call), "system call {call}");
        }
    }
}

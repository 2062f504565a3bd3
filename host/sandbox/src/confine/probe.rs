//! What this machine has of the second wall, in words for an operator.

use std::fs;
use std::path::Path;

/// One thing the kernel should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    pub present: bool,
    /// What was found.
    pub detail: String,
    /// What to do when it is missing.
    pub remedy: &'static str,
}

/// What [`probe_confinement`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfinementReport {
    pub features: Vec<Feature>,
    /// Whether runners can be confined as `Confinement::Required` asks.
    pub sufficient: bool,
}

/// Looks at the kernel; changes nothing.
pub fn probe_confinement() -> ConfinementReport {
    let landlock = landlock();
    let seccomp = seccomp();
    let sufficient = landlock.present && seccomp.present;
    ConfinementReport { features: vec![landlock, seccomp, user_namespaces()], sufficient }
}

fn landlock() -> Feature {
    let abi = landlock_abi();
    Feature {
        name: "landlock",
        present: abi > 0,
        detail: match abi {
            ..=0 => "not available".to_owned(),
            1..4 => format!("ABI {abi}: files (seccomp stands in for network and signals)"),
            4..6 => format!("ABI {abi}: files and TCP (seccomp stands in for signals)"),
            6.. => format!("ABI {abi}: files, TCP, signals and abstract sockets"),
        },
        remedy: "use Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK, and have \"landlock\" in \
                 the kernel parameter lsm=; inside a container, allow the landlock system calls",
    }
}

/// 0 or less: none.
#[expect(unsafe_code, reason = "the landlock crate does not tell the ABI of the kernel")]
fn landlock_abi() -> libc::c_long {
    const VERSION: libc::c_ulong = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call reads no memory and only returns a number.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) }
}

fn seccomp() -> Feature {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    // Without /proc/sys, a kernel that shows the mode of a process has the rest.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let present = actions.contains("errno") || status.contains("Seccomp:");
    Feature {
        name: "seccomp",
        present,
        detail: if present { "filters available" } else { "not available" }.to_owned(),
        remedy: "use a kernel with CONFIG_SECCOMP_FILTER",
    }
}

/// Not needed by runners; native runs will use them.
fn user_namespaces() -> Feature {
    let maximum = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    let refused = Path::new("/proc/sys/kernel/unprivileged_userns_clone");
    let refused = fs::read_to_string(refused).is_ok_and(|value| value.trim() == "0");
    let present = maximum.trim().parse::<u64>().is_ok_and(|maximum| maximum > 0) && !refused;
    Feature {
        name: "user namespaces",
        present,
        detail: if present { "available" } else { "not available" }.to_owned(),
        remedy: "not needed for sandboxed actions; sysctl user.max_user_namespaces and \
                 kernel.unprivileged_userns_clone switch them on",
    }
}

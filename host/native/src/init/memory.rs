//! How much memory all processes of a run have together.
//!
//! The init sees them all in its own /proc. Memory that several of them share, such as what a
//! fork has in common with its parent, counts once: but that takes the kernel long to find out,
//! so it is asked only when the sum of what each of them has is too much.

use std::fs;

use rustix::process::{Pid, getpid};

/// What the run has, in bytes, if the exact number matters: when it may be above the limit.
pub(super) fn in_use(limit: u64) -> u64 {
    let processes = processes();
    let sum = |of: fn(&str) -> Option<u64>| processes.iter().filter_map(|it| of(it)).sum();
    let at_most: u64 = sum(resident);
    if at_most <= limit { at_most } else { sum(proportional) }
}

/// Names of folders below /proc.
fn processes() -> Vec<String> {
    let init = Pid::as_raw(Some(getpid())).to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != init).collect()
}

/// Without files, which the kernel can take back.
fn resident(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    Some(field(&status, "RssAnon:") + field(&status, "RssShmem:"))
}

/// A page that several have counts for each of them as the part it has of it.
fn proportional(process: &str) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
    let Ok(rollup) = rollup else { return resident(process) };
    Some(field(&rollup, "Pss_Anon:") + field(&rollup, "Pss_Shmem:"))
}

/// The kernel writes numbers of KiB.
fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.trim().strip_suffix("kB")?.trim().parse().ok());
    number.unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_bytes() {
        assert_eq!(field("Name:\tx\nRssAnon:\t     12 kB\n", "RssAnon:"), 12 << 10);
        assert_eq!(field("Name:\tx\n", "RssAnon:"), 0);
    }
}

//! Landlock, on top of what the mounts say: which files may be written, and that nobody is
//! signalled outside of the program's own processes, its init included.

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, PathFdError, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

use super::{WallError, failed};

/// The rights we ask for; the kernel grants what it knows of them. TCP is not among them: the
/// run's own network has nothing but the door.
const ABI: ABI = ABI::V6;
/// The program's own, within a limited size.
const WRITABLE: [&str; 2] = ["/tmp", "/dev/shm"];
const DEVICES: &str = "/dev";

/// A kernel without landlock is told by the probe, and tolerated here.
pub(super) fn restrict() -> Result<(), WallError> {
    let restricted = ruleset().and_then(|ruleset| Ok(ruleset.restrict_self()?));
    restricted.map(|_as_far_as_known| ()).map_err(failed("landlock"))
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn ruleset() -> Outcome<RulesetCreated> {
    let everything = AccessFs::from_all(ABI);
    let read = AccessFs::from_read(ABI);
    // Files of devices are written and asked for their state, none is made.
    let devices = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(everything)?
        .scope(Scope::from_all(ABI))?
        .create()?
        .set_compatibility(CompatLevel::BestEffort)
        .add_rule(beneath("/", read)?)?
        .add_rule(beneath(DEVICES, read | devices)?)?;
    let own = everything & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    for folder in WRITABLE {
        ruleset = ruleset.add_rule(beneath(folder, own)?)?;
    }
    Ok(ruleset)
}

fn beneath(
    path: &str,
    access: landlock::BitFlags<AccessFs>,
) -> Result<PathBeneath<PathFd>, PathFdError> {
    Ok(PathBeneath::new(PathFd::new(path)?, access))
}

/// What the kernel knows of it; 0 or less: nothing.
#[expect(unsafe_code, reason = "the landlock crate does not tell the ABI of the kernel")]
pub(crate) fn abi() -> libc::c_long {
    const VERSION: libc::c_ulong = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call reads no memory and only returns a number.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) }
}

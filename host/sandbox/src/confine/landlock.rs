//! Landlock: which files a runner may reach, and that it may reach no network.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::ConfineError;
use crate::protocol::Folders;

/// The rights we ask for. Of those the kernel grants what it knows: file rights
/// since Linux 5.13, TCP since 6.7, signals and abstract sockets since 6.12.
const ABI: ABI = ABI::V6;

/// From now on this thread reads the packs, reads and writes the scratch folder,
/// and nothing else; it opens no TCP connection, and signals nobody outside.
pub(super) fn restrict(folders: &Folders) -> Result<(), ConfineError> {
    let status = ruleset(folders).and_then(|ruleset| Ok(ruleset.restrict_self()?));
    match status.map_err(|error| ConfineError::Landlock(error.to_string()))?.ruleset {
        RulesetStatus::NotEnforced => {
            Err(ConfineError::Landlock("this kernel has it not, or not switched on".to_owned()))
        }
        // Seccomp stands in for the network and signal rights of newer kernels.
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn ruleset(folders: &Folders) -> Outcome<RulesetCreated> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI))?
        .handle_access(AccessNet::from_all(ABI))?
        .scope(Scope::from_all(ABI))?
        .create()?
        .set_compatibility(CompatLevel::BestEffort);
    // Reading without AccessFs::Execute, which `from_read` contains.
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    for pack in &folders.packs {
        ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(pack)?, read))?;
    }
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        // Renaming between folders of the scratch directory.
        | AccessFs::Refer;
    Ok(ruleset.add_rule(PathBeneath::new(PathFd::new(&folders.scratch)?, write))?)
}

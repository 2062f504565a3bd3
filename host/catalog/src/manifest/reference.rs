//! Refs: the names by which clients call packs and their components.

use super::ManifestError;

const REF_BYTES: usize = 255;

/// The ref that a pack gives itself.
pub(super) fn of_pack(file: &str, given: Option<String>) -> Result<String, ManifestError> {
    let reference = required(file, given)?;
    check(file, &reference)?;
    Ok(reference)
}

/// The ref of a component: `<pack>.<name>`, of which the author may leave out the pack.
pub(super) fn of_component(
    file: &str,
    given: Option<String>,
    pack_ref: &str,
) -> Result<String, ManifestError> {
    let given = required(file, given)?;
    let own_prefix = format!("{pack_ref}.");
    let reference = match given.strip_prefix(&own_prefix) {
        Some(_) => given,
        None if given.contains('.') => {
            let problem = format!("'{given}' is not a ref of pack '{pack_ref}'");
            let remedy = format!("begin it with '{own_prefix}'");
            return Err(ManifestError::new(file, problem).key("ref").remedy(remedy));
        }
        None => format!("{own_prefix}{given}"),
    };
    check(file, &reference)?;
    Ok(reference)
}

fn required(file: &str, given: Option<String>) -> Result<String, ManifestError> {
    given.ok_or_else(|| ManifestError::new(file, "is missing").key("ref").remedy("add it"))
}

fn check(file: &str, reference: &str) -> Result<(), ManifestError> {
    let error = |problem: &str| Err(ManifestError::new(file, problem).key("ref"));
    if reference.len() > REF_BYTES {
        return error("is longer than 255 characters");
    }
    let is_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.' | '-');
    let is_name = |name: &str| !name.is_empty() && name.chars().all(is_allowed);
    if !reference.split('.').all(is_name) {
        return error("may hold lower-case letters, digits, '_' and '-', with '.' between names");
    }
    Ok(())
}

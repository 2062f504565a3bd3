//! A manifest that cannot be read: which file, which key, what is wrong, what helps.

use std::fmt;

/// Why a manifest is refused. The pack's author is to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Path in the pack.
    pub file: String,
    pub key: Option<String>,
    pub problem: String,
    pub remedy: Option<String>,
}

impl ManifestError {
    pub(super) fn new(file: &str, problem: impl Into<String>) -> ManifestError {
        ManifestError { file: file.to_owned(), key: None, problem: problem.into(), remedy: None }
    }

    pub(super) fn key(self, key: impl Into<String>) -> ManifestError {
        ManifestError { key: Some(key.into()), ..self }
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> ManifestError {
        ManifestError { remedy: Some(remedy.into()), ..self }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(key) = &self.key {
            write!(f, ", key '{key}'")?;
        }
        write!(f, ": {}", self.problem)?;
        if let Some(remedy) = &self.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

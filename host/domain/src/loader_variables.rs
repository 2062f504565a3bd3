//! Variables by which a program is made to run somebody else's code.
//!
//! Whoever may execute an action sends variables with the request. The action may have more
//! rights than they have, and must not be turned into theirs. The sandbox's interpreters read
//! none of these. No list of this kind is complete: an action with rights of its own, which starts
//! programs that are not here, had better clear its environment.

/// Whole families; a few of Python's are harmless.
const FAMILIES: [&str; 12] = [
    "BASH_FUNC_",
    "CARGO_",
    "ERL_",
    "GIT_",
    "LD_",
    "LUA_INIT",
    "NPM_CONFIG_",
    "PERL",
    "PYTHON",
    "RUBY",
    "R_PROFILE",
    "npm_config_",
];
const HARMLESS: [&str; 7] = [
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONFAULTHANDLER",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONOPTIMIZE",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
];
const NAMES: [&str; 52] = [
    "AWKLIBPATH",
    "AWKPATH",
    "BASHOPTS",
    "BASH_COMPAT",
    "BASH_ENV",
    "BASH_LOADABLES_PATH",
    "BASH_XTRACEFD",
    "BROWSER",
    "BUN_OPTIONS",
    "CDPATH",
    "CLASSPATH",
    "CURL_HOME",
    "DOTNET_STARTUP_HOOKS",
    "ENV",
    "EXINIT",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "GLOBIGNORE",
    "GNUMAKEFLAGS",
    "GOFLAGS",
    "HOME",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LESSCLOSE",
    "LESSOPEN",
    "LOCPATH",
    "MAKEFILES",
    "MAKEFLAGS",
    "MANPAGER",
    "NLSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PAGER",
    "PATH",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PROMPT_COMMAND",
    "PS4",
    "RSYNC_RSH",
    "RUSTC_WRAPPER",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "TAR_OPTIONS",
    "TCLLIBPATH",
    "VIMINIT",
    "XDG_CONFIG_HOME",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// Whether a native run must not get this variable from a request.
pub fn loads_code(name: &str) -> bool {
    let in_a_family = FAMILIES.iter().any(|family| name.starts_with(family));
    in_a_family && !HARMLESS.contains(&name) || NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loads_code_is_told_from_what_does_not() {
        for name in ["BASH_ENV", "BASH_FUNC_cat%%", "LD_PRELOAD", "PYTHONPATH", "NODE_OPTIONS"] {
            assert!(loads_code(name), "{name}");
        }
        for name in ["PYTHONUNBUFFERED", "NODE_ENV", "LANG", "TZ", "EDITOR", "BASH_LIKE", "_X"] {
            assert!(!loads_code(name), "{name}");
        }
    }
}

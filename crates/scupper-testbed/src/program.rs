//! The servers' programs, as Debian's packages bring them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A program that a server needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    RedisServer,
    RedisSentinel,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::RedisServer => "redis-server",
            Self::RedisSentinel => "redis-sentinel",
        }
    }

    /// Where it lies, on `PATH` or where Debian puts it.
    pub(crate) fn path(self) -> PathBuf {
        let search = env::var_os("PATH").unwrap_or_default();
        find(self.name(), &search).unwrap_or_else(|| panic!("{}", advice(self.name())))
    }
}

fn find(name: &str, search: &OsString) -> Option<PathBuf> {
    let folders = env::split_paths(search).chain([PathBuf::from("/usr/bin")]);
    folders.map(|folder| folder.join(name)).find(|path| Path::is_file(path))
}

fn advice(name: &str) -> String {
    format!(
        "{name} is missing, and this test needs it. On Debian or Ubuntu: apt-get install redis-server redis-sentinel \
         (`cargo xtask test` does that itself where it may)."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_path_and_in_the_usual_place() {
        assert_eq!(find("sh", &OsString::from("/nowhere:/bin")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("env", &OsString::new()), Some(PathBuf::from("/usr/bin/env")));
    }

    #[test]
    fn a_missing_program_is_named_with_the_command_that_installs_it() {
        assert_eq!(find("redis-swerver", &OsString::from("/nowhere")), None);
        assert!(advice("redis-server").contains("apt-get install redis-server redis-sentinel"));
    }
}

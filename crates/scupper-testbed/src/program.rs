//! The servers' programs, as Debian's packages bring them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A program that a server needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    RedisServer,
    RedisSentinel,
    Postgres,
    /// Makes the files that a Postgres serves.
    Initdb,
}

/// Where Debian puts each version of Postgres, off the path.
const VERSIONS: &str = "/usr/lib/postgresql";

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::RedisServer => "redis-server",
            Self::RedisSentinel => "redis-sentinel",
            Self::Postgres => "postgres",
            Self::Initdb => "initdb",
        }
    }

    fn packages(self) -> &'static str {
        match self {
            Self::RedisServer | Self::RedisSentinel => "redis-server redis-sentinel",
            Self::Postgres | Self::Initdb => "postgresql",
        }
    }

    /// Where it lies, on `PATH` or where Debian puts it.
    pub(crate) fn path(self) -> PathBuf {
        let search = env::var_os("PATH").unwrap_or_default();
        let found = match self {
            Self::RedisServer | Self::RedisSentinel => find(self.name(), &search),
            // Of one version: what one has made the other serves.
            Self::Postgres | Self::Initdb => find("initdb", &search).and_then(|initdb| beside(&initdb, self.name())),
        };
        found.unwrap_or_else(|| panic!("{}", self.advice()))
    }

    fn advice(self) -> String {
        format!(
            "{} is missing, and this test needs it. On Debian or Ubuntu: apt-get install {} (`cargo xtask test` does that \
             itself where it may).",
            self.name(),
            self.packages(),
        )
    }
}

fn find(name: &str, search: &OsString) -> Option<PathBuf> {
    let usual = [PathBuf::from("/usr/bin")].into_iter().chain(newest_first(Path::new(VERSIONS)));
    env::split_paths(search).chain(usual).map(|folder| folder.join(name)).find(|path| Path::is_file(path))
}

/// The program of that name in the folder where another really lies.
fn beside(program: &Path, name: &str) -> Option<PathBuf> {
    let path = fs::canonicalize(program).ok()?.with_file_name(name);
    path.is_file().then_some(path)
}

/// The folders with the programs of each version, which are named by numbers.
fn newest_first(versions: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(versions).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut numbers: Vec<u32> = numbered.collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.into_iter().map(|number| versions.join(number.to_string()).join("bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::Keeper;

    #[test]
    fn a_program_is_found_on_the_path_and_in_the_usual_place() {
        assert_eq!(find("sh", &OsString::from("/nowhere:/bin")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("env", &OsString::new()), Some(PathBuf::from("/usr/bin/env")));
    }

    #[test]
    fn a_missing_program_is_named_with_the_command_that_installs_it() {
        assert_eq!(find("redis-swerver", &OsString::from("/nowhere")), None);
        assert!(Program::RedisServer.advice().contains("apt-get install redis-server redis-sentinel"));
        assert!(Program::Initdb.advice().contains("initdb is missing"));
        assert!(Program::Initdb.advice().contains("apt-get install postgresql "));
    }

    #[test]
    fn of_several_versions_the_newest_is_taken() {
        let keeper = Keeper::new();
        for name in ["9", "15", "13", "common"] {
            fs::create_dir(keeper.folder().join(name)).unwrap();
        }
        let expected = ["15", "13", "9"].map(|version| keeper.folder().join(version).join("bin"));
        assert_eq!(newest_first(keeper.folder()), expected);
    }
}

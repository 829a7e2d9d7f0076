//! As whom a server runs that refuses to run as root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

/// Another user than this process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// The user of that name, where this process is root; none is needed for anybody else.
    pub(crate) fn instead_of_root(name: &str) -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = Self::find(name, &users);
        Some(
            found.unwrap_or_else(|| panic!("There is no user {name}, whom Debian's package makes, to run its server.")),
        )
    }

    /// Has a program run as this user.
    pub(crate) fn runs(self, program: &mut Command) {
        program.uid(self.user).gid(self.group);
    }

    /// Makes this user the owner of a file or folder.
    pub(crate) fn owns(self, path: &Path) {
        chown(path, Some(self.user), Some(self.group)).expect("root may give away what is its own");
    }

    fn find(name: &str, users: &str) -> Option<Self> {
        let mut words = users.lines().map(|line| line.split(':'));
        let mut user = words.find_map(|mut words| (words.next() == Some(name)).then_some(words))?.skip(1);
        let mut number = || user.next()?.parse().ok();
        Some(Self { user: number()?, group: number()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_its_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(Account::find("postgres", users), Some(Account { user: 101, group: 104 }));
        assert_eq!(Account::find("post", users), None);
    }
}

use rustix::fs::Stat;
use rustix::process::{Gid, getegid, geteuid, getgroups};

const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;

/// Who owns a file, and who may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    user: u32,
    group: u32,
    mode: u32,
}

/// Whom a process acts as.
#[derive(Debug)]
struct Actor {
    user: u32,
    groups: Vec<u32>,
}

impl Actor {
    fn this_process() -> Self {
        let mut groups: Vec<u32> = getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect();
        groups.push(getegid().as_raw());
        Self { user: geteuid().as_raw(), groups }
    }
}

impl Access {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { user: stat.st_uid, group: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }

    pub(super) fn user(self) -> u32 {
        self.user
    }

    pub(super) fn can_be_of(self, mode: u32) -> bool {
        self.is_trusted_by(&Actor::this_process(), mode)
    }

    fn is_trusted_by(self, actor: &Actor, mode: u32) -> bool {
        // To give a file to a group takes a member of it.
        let is_of_our_group = actor.groups.contains(&self.group) && self.mode & OTHERS_WRITE == 0;
        self.user == 0
            || self.user == actor.user
            || mode & OTHERS_WRITE != 0
            || (mode & GROUP_WRITES != 0 && is_of_our_group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_files_are_trusted_only_where_the_mode_lets_such_others_write() {
        let (stranger, me, ours, theirs) = (1_001, 1_000, 50, 60);
        let actor = Actor { user: me, groups: vec![ours, 70] };
        let modes = [0o600, 0o640, 0o660, 0o666];
        for (user, group, mode, right) in [
            (0, theirs, 0o666, [true; 4]),
            (me, theirs, 0o600, [true; 4]),
            (stranger, theirs, 0o666, [false, false, false, true]),
            (stranger, theirs, 0o660, [false, false, false, true]),
            (stranger, ours, 0o660, [false, false, true, true]),
            (stranger, 70, 0o660, [false, false, true, true]),
            (stranger, ours, 0o666, [false, false, false, true]),
        ] {
            let access = Access { user, group, mode };
            assert_eq!(modes.map(|mode| access.is_trusted_by(&actor, mode)), right, "{access:?}");
        }
    }
}

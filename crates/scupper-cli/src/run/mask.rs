use rustix::fs::Mode;
use rustix::process::umask;

/// Files that this process makes are for this user alone, until this is dropped.
#[derive(Debug)]
#[must_use = "files are for others again when this is dropped"]
pub(super) struct Private {
    before: Mode,
}

impl Private {
    pub(super) fn from_now_on() -> Self {
        let before = umask(Mode::RWXG | Mode::RWXO);
        // Whatever was denied to this user stays so.
        umask(before | Mode::RWXG | Mode::RWXO);
        Self { before }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        umask(self.before);
    }
}

//! What goes wrong where a program writes to files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::keeper::Keeper;

const SOURCE: &str = include_str!("faults.c");

/// What becomes of a call that writes to a file, cuts it, or has it reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// An error of the disk, and nothing was done.
    Failed,
    /// An error of the disk, and half of it was done.
    FailedHalfway,
    /// An error of the disk, and yet all of it was done.
    FailedAfter,
    /// The disk is full.
    Full,
    /// Only half of it is done, and it says so.
    Short,
    /// The process is killed before it.
    KilledBefore,
    /// The process is killed when half of it is done.
    KilledHalfway,
    /// The process is killed after it.
    KilledAfter,
}

impl FileFault {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Failed,
        Self::FailedHalfway,
        Self::FailedAfter,
        Self::Full,
        Self::Short,
        Self::KilledBefore,
        Self::KilledHalfway,
        Self::KilledAfter,
    ];

    /// Whether the process ends by it.
    #[must_use]
    pub const fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledHalfway | Self::KilledAfter)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::FailedHalfway => "failed-halfway",
            Self::FailedAfter => "failed-after",
            Self::Full => "full",
            Self::Short => "short",
            Self::KilledBefore => "killed-before",
            Self::KilledHalfway => "killed-halfway",
            Self::KilledAfter => "killed-after",
        }
    }
}

/// A library to put before a program that is linked dynamically, on Linux. It is made with the C compiler of the machine.
///
/// # Examples
///
/// ```
/// use std::process::Command;
/// use scupper_testbed::{FileFault, FileFaults};
///
/// let faults = FileFaults::make();
/// let met = std::env::temp_dir().join(format!("scupper-doc-met-{}", std::process::id()));
/// let mut dd = Command::new("dd");
/// dd.args(["if=/dev/zero", "count=1", "of=/dev/null"]);
/// faults.put_before(&mut dd, "null", FileFault::Full, 1, &met);
/// assert!(!dd.output().unwrap().status.success());
/// assert!(met.exists(), "it came to that");
/// # std::fs::remove_file(met).unwrap();
/// ```
#[derive(Debug)]
pub struct FileFaults {
    library: PathBuf,
    /// Its folder lives as long as this.
    _keeper: Keeper,
}

impl FileFaults {
    /// Makes the library.
    #[must_use]
    pub fn make() -> Self {
        let keeper = Keeper::new();
        let (source, library) = (keeper.folder().join("faults.c"), keeper.folder().join("faults.so"));
        fs::write(&source, SOURCE).expect("the folder is our own");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).args([&library, &source]).arg("-ldl");
        let made = compiler.output().unwrap_or_else(|error| panic!("{}: {error}", advice()));
        assert!(made.status.success(), "cc says: {}", String::from_utf8_lossy(&made.stderr));
        Self { library, _keeper: keeper }
    }

    /// Has the `nth` call of this program, from 1 on, that writes to files whose names begin with `file` go wrong, and makes the
    /// file `met` when it comes to that. Files that end in `-shm` do not count.
    pub fn put_before(&self, program: &mut Command, file: impl AsRef<OsStr>, fault: FileFault, nth: usize, met: &Path) {
        program.env("LD_PRELOAD", &self.library).env("SCUPPER_FAULT_FILE", file).env("SCUPPER_FAULT_MET", met);
        program.env("SCUPPER_FAULT_KIND", fault.name()).env("SCUPPER_FAULT_AT", nth.to_string());
    }

    /// The same, and all later calls go wrong as well, until there is a file `until`.
    pub fn lasting(program: &mut Command, until: &Path) {
        program.env("SCUPPER_FAULT_UNTIL", until);
    }
}

fn advice() -> &'static str {
    "cc, a C compiler, is missing, and this test needs it, as does building SQLite. On Debian or Ubuntu: apt-get install gcc \
     libc6-dev"
}

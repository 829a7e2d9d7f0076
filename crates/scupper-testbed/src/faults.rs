//! Files that cannot be written, for a process that is started with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("faults.c");

/// A library that lets writes of files fail in whichever process it is loaded into, built in a folder of the test's own.
///
/// # Examples
/// ```
/// use scupper_testbed::{WriteFault, WriteFaults};
/// use std::process::Command;
///
/// let folder = std::env::temp_dir().join(format!("scupper-faults-{}", std::process::id()));
/// std::fs::create_dir_all(&folder).unwrap();
/// let faults = WriteFaults::build_in(&folder);
/// let mut copy = Command::new("dd");
/// copy.args(["if=/dev/zero", "bs=512", "count=3"]).arg(format!("of={}", folder.join("copied").display()));
/// faults.befall(&mut copy, "copied", 2, WriteFault::Full);
/// assert!(!copy.status().unwrap().success());
/// assert_eq!(std::fs::metadata(folder.join("copied")).unwrap().len(), 512);
/// # std::fs::remove_dir_all(&folder).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct WriteFaults(PathBuf);

/// What becomes of a write, or of waiting until the disk has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// It fails, as of a broken disk.
    Error,
    /// It fails, and all that come later, as the disk is full.
    Full,
    /// Half of it is written. What writes nothing fails.
    Short,
    /// Half of it is written, and the process is killed.
    Kill,
}

impl WriteFault {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Error, Self::Full, Self::Short, Self::Kill];
}

impl WriteFaults {
    /// Builds the library.
    #[must_use]
    pub fn build_in(folder: &Path) -> Self {
        let (source, library) = (folder.join("faults.c"), folder.join("faults.so"));
        fs::write(&source, SOURCE).expect("the folder can be written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
        let built = compiler.output();
        let built = built.unwrap_or_else(|error| {
            panic!("the C compiler cc, which this test needs, cannot be run: {error}. On Debian or Ubuntu: apt-get install gcc")
        });
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self(library)
    }

    /// Has this befall the `nth` write, from 1, to files with this in their paths.
    pub fn befall(&self, command: &mut Command, path: &str, nth: u32, fault: WriteFault) {
        let kind = match fault {
            WriteFault::Error => "error",
            WriteFault::Full => "full",
            WriteFault::Short => "short",
            WriteFault::Kill => "kill",
        };
        command.env("LD_PRELOAD", &self.0).env("SCUPPER_FAULT_PATH", path);
        command.env("SCUPPER_FAULT_NTH", nth.to_string()).env("SCUPPER_FAULT_KIND", kind);
    }
}

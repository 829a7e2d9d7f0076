//! The stress tests under `ThreadSanitizer`, which sees two threads touch one thing with nothing to order them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::failure::Failure;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The standard library is not built for it, hence the last flag and the list of what is no race.
const FLAGS: &str = "--cfg scupper_tsan -D warnings -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
const SUPPRESSIONS: &str = "xtask/tsan-suppressions.txt";

/// Builds the library with the sanitizer and runs the stress tests.
///
/// Succeeds, saying so, where the toolchain comes without the sanitizer: then nothing was checked.
pub(crate) fn check(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    let host = host(&Command::new(workspace, "rustc").arg("-vV").read()?)?;
    let libraries = Command::new(workspace, "rustc").args("--print target-libdir").read()?;
    if !has_runtime(Path::new(libraries.trim())) {
        println!(
            "The sanitizer run was NOT made, because this toolchain has no ThreadSanitizer for {host}: there is no \
             librustc-*_rt.tsan.* in {}.",
            libraries.trim()
        );
        return Ok(());
    }
    let suppressions: PathBuf = workspace.root().join(SUPPRESSIONS);
    Command::cargo(workspace)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS)
        .env("TSAN_OPTIONS", &format!("suppressions={}", suppressions.display()))
        .args("test --package scupper --profile model --test stress_* --target")
        // With a target, the programs that the build itself runs are left alone.
        .arg(host)
        .arg("--target-dir")
        .arg(workspace.metadata()?.target_directory.join("tsan"))
        .args("-- --test-threads 1 --color never")
        .watch(|line| tally.read_cargo_line(line))
}

fn host(version: &str) -> Result<String, Failure> {
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new(format!("`rustc -vV` names no host:\n{version}")))
}

fn has_runtime(libraries: &Path) -> bool {
    let files = fs::read_dir(libraries).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_string_lossy().contains("_rt.tsan."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_the_compiler_says() {
        let version =
            "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(host(version).unwrap(), "x86_64-unknown-linux-gnu");
        assert!(host("rustc 1.95.0").is_err());
    }

    #[test]
    fn a_toolchain_without_the_sanitizer_is_known() {
        assert!(!has_runtime(Path::new("/nowhere")));
        assert!(!has_runtime(Path::new(env!("CARGO_MANIFEST_DIR"))));
    }
}

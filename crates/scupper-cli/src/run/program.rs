use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

/// Where the system looks where PATH is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Where COMMAND is, as a shell would find it. Known before anything is taken for it.
///
/// # Errors
/// [`NotFound`](io::ErrorKind::NotFound), or why what was found cannot be run.
pub(super) fn find(name: &OsStr) -> io::Result<PathBuf> {
    find_in(name, &env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()))
}

fn find_in(name: &OsStr, path: &OsString) -> io::Result<PathBuf> {
    if name.is_empty() {
        return Err(Errno::NOENT.into());
    }
    if name.as_encoded_bytes().contains(&b'/') {
        return runnable(Path::new(name)).map(|()| name.into());
    }
    let mut failure = Errno::NOENT.into();
    for folder in env::split_paths(path) {
        let candidate = if folder.as_os_str().is_empty() { Path::new(".").join(name) } else { folder.join(name) };
        match runnable(&candidate) {
            Ok(()) => return Ok(candidate),
            // Another folder may have one that can be run; if none has, this is the better reason.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

fn runnable(path: &Path) -> io::Result<()> {
    if !path.metadata()?.is_file() {
        return Err(Errno::ACCESS.into());
    }
    Ok(accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Folders of this test, removed with what is in them.
    struct Folders(PathBuf);

    impl Folders {
        fn new(test: &str) -> Self {
            let path = env::temp_dir().join(format!("scupper-program-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, folder: &str, name: &str, mode: u32) -> PathBuf {
            let path = self.0.join(folder).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }

        fn path(&self, folders: &[&str]) -> OsString {
            env::join_paths(folders.iter().map(|folder| self.0.join(folder))).unwrap()
        }
    }

    impl Drop for Folders {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_first_that_can_be_run_is_found_and_what_cannot_is_passed_over() {
        let folders = Folders::new("first");
        folders.file("plain", "tool", 0o644);
        fs::create_dir_all(folders.0.join("folder/tool")).unwrap();
        let first = folders.file("first", "tool", 0o755);
        folders.file("second", "tool", 0o755);
        let path = folders.path(&["none", "plain", "folder", "first", "second"]);
        assert_eq!(find_in(OsStr::new("tool"), &path).unwrap(), first);
    }

    #[test]
    fn one_that_cannot_be_run_is_another_reason_than_none() {
        let folders = Folders::new("reason");
        let plain = folders.file("plain", "tool", 0o644);
        let path = folders.path(&["plain", "none"]);
        let kind = |name: &OsStr| find_in(name, &path).unwrap_err().kind();
        assert_eq!(kind(OsStr::new("tool")), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(plain.as_os_str()), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(folders.0.as_os_str()), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(OsStr::new("other")), io::ErrorKind::NotFound);
        assert_eq!(kind(OsStr::new("")), io::ErrorKind::NotFound);
        assert_eq!(kind(OsStr::new("./no-such-file")), io::ErrorKind::NotFound);
    }

    #[test]
    fn one_in_a_named_folder_is_looked_for_nowhere_else() {
        let folders = Folders::new("named");
        let tool = folders.file("folder", "tool", 0o755);
        assert_eq!(find_in(tool.as_os_str(), &OsString::new()).unwrap(), tool);
    }
}

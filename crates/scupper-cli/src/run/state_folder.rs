use std::env;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder for what Scupper keeps of this user, by the XDG base directory specification; none if the environment does not
/// say where that is.
pub(super) fn path() -> Option<PathBuf> {
    path_of(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))
}

fn path_of(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state = state.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".local/state")))?;
    Some(state.join("scupper"))
}

/// Makes the folder, and those that it lies in, for this user alone. One that is there stays as it is.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_where_the_environment_says_and_relative_paths_are_ignored() {
        let path = |state: Option<&str>, home: Option<&str>| path_of(state.map(Into::into), home.map(Into::into));
        let at = |path: &str| Some(PathBuf::from(path));
        assert_eq!(path(Some("/state"), Some("/home/me")), at("/state/scupper"));
        assert_eq!(path(None, Some("/home/me")), at("/home/me/.local/state/scupper"));
        for ignored in ["", "state", "./state"] {
            assert_eq!(path(Some(ignored), Some("/home/me")), at("/home/me/.local/state/scupper"));
            assert_eq!(path(None, Some(ignored)), None);
        }
        assert_eq!(path(None, None), None);
        assert_eq!(path(Some("/state"), None), at("/state/scupper"));
    }
}

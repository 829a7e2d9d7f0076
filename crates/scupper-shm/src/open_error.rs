use std::borrow::Cow;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// What kind of failure an [`OpenError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenErrorKind {
    /// This system is not 64-bit Linux.
    Unsupported,
    /// A file was to be made with a length or with permissions that cannot be.
    Invalid,
    /// The folder that the file is or would be in does not exist, or is no folder.
    NoFolder,
    /// This user may not read and write the file, or may not make one in its folder.
    NoPermission,
    /// The file may be read but not written, or its file system is mounted read-only.
    ReadOnly,
    /// The path is a folder.
    Folder,
    /// The path is neither a file nor a folder: a device, a pipe, a socket.
    NotAFile,
    /// The path is a symbolic link to what does not exist, or one that leads in a circle.
    DanglingLink,
    /// The file is empty.
    Empty,
    /// The file is shorter than the header that each such file begins with.
    TooShort,
    /// The file is another program's: it does not begin as such a file does.
    Foreign,
    /// The file is of another version of this crate.
    Version,
    /// The header contradicts itself: something else wrote into it.
    Damaged,
    /// The file is longer or shorter than its header says.
    Length,
    /// A file was to be made, and there is one.
    AlreadyExists,
    /// There is no room for the file, on the disk or within this user's quota.
    NoSpace,
    /// The system refused it for another reason: [`source`](Error::source) says which.
    Io,
}

/// Why a file was not opened or made: a [kind](Self::kind), a message that says what is wrong and what would be right, and as
/// its [`source`](Error::source) the system's error where there was one. A file that was found is as it was.
#[derive(Debug)]
pub struct OpenError {
    kind: OpenErrorKind,
    path: PathBuf,
    message: Cow<'static, str>,
    source: Option<io::Error>,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind, path: &Path, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, path: path.to_owned(), message: message.into(), source: None }
    }

    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    pub(crate) fn because_of(mut self, source: impl Into<io::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> OpenErrorKind {
        self.kind
    }

    /// The path that was to be opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

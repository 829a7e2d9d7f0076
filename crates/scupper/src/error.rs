//! What can go wrong, and whether trying again can help.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;

/// What kind of failure an [`Error`] is.
///
/// *Denied* is not among them: a denial is an answer, and an error means that there was none.
///
/// | kind | transient? | what to do |
/// |---|---|---|
/// | [`InvalidRate`](Self::InvalidRate) | no | correct the rates |
/// | [`InvalidRequest`](Self::InvalidRequest) | no | correct the request |
/// | [`InvalidConfig`](Self::InvalidConfig) | no | correct the setup |
/// | [`Timeout`](Self::Timeout) | yes | turn the work away, or ask again with more time |
/// | [`NeverFits`](Self::NeverFits) | no | split the request, or raise limit or burst |
/// | [`Unknown`](Self::Unknown) | yes | ask again; what was taken before may count besides, until its answer comes and it is given back |
/// | [`Closed`](Self::Closed) | no | stop asking |
/// | [`QueueFull`](Self::QueueFull) | yes | turn the work away, or let more wait |
/// | [`Capacity`](Self::Capacity) | yes | ask again later, or let the store hold more |
/// | [`AlgorithmMismatch`](Self::AlgorithmMismatch) | no | reset the bucket, or use another key |
/// | [`Corrupt`](Self::Corrupt) | no | restore or delete what is stored, or update the library |
/// | [`Unavailable`](Self::Unavailable) | yes | ask again later |
/// | [`Unsupported`](Self::Unsupported) | no | use another store, or build with its feature |
///
/// # Examples
/// ```
/// use scupper::{ErrorKind, Limiter};
/// use std::time::Duration;
///
/// let limiter = Limiter::builder().rates(["1/h".parse()?]).build()?;
/// let _first = limiter.acquire("user:42")?;
/// let late = limiter.request("user:42").timeout(Duration::from_secs(5)).acquire();
/// match late.unwrap_err().kind() {
///     ErrorKind::Timeout => println!("too busy: turn the work away"),
///     kind if kind.is_transient() => println!("{kind}: ask again later"),
///     kind => panic!("{kind}: somebody has to look"),
/// }
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A rate, a list of rates or a quota that cannot be: the message says what is wrong and what would be right.
    InvalidRate,
    /// A request that cannot be: its key is too long, its weight is zero or beyond the maximum, its time is too late.
    InvalidRequest,
    /// A limiter or a store that was set up in a way that cannot work.
    InvalidConfig,
    /// The deadline cannot be met, or passed while waiting. Nothing was taken.
    ///
    /// If it passed because the store left the calls before this one without an answer, so that nothing is known of the room,
    /// the [`source`](std::error::Error::source) is an [`Error`](crate::Error) of kind [`Unavailable`](Self::Unavailable).
    Timeout,
    /// The request is heavier than its rates ever allow. Nothing was taken, and waiting does not help.
    NeverFits,
    /// The call was sent and no answer came: the units may or may not have been taken.
    Unknown,
    /// The limiter or the store was closed.
    Closed,
    /// As many requests wait in line on this key as may. Nothing was taken.
    QueueFull,
    /// The store holds as many buckets as it may, and none of them can leave yet; or as many requests wait for it as may. Nothing
    /// was taken.
    Capacity,
    /// The bucket is kept by another algorithm than the one asked for, and owes something under it.
    AlgorithmMismatch,
    /// A stored bucket cannot be read: it is damaged, or of a version that this library does not know.
    Corrupt,
    /// The store could not be reached, or could not serve the call. Nothing was taken.
    Unavailable,
    /// The store does not know this operation, or is of a feature that was not built in.
    Unsupported,
}

impl ErrorKind {
    /// Whether the same call may succeed later without any change.
    ///
    /// # Examples
    /// ```
    /// use scupper::ErrorKind;
    ///
    /// assert!(ErrorKind::Capacity.is_transient());
    /// assert!(!ErrorKind::NeverFits.is_transient());
    /// ```
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Timeout | Self::Unknown | Self::QueueFull | Self::Capacity | Self::Unavailable)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRate => "invalid rate",
            Self::InvalidRequest => "invalid request",
            Self::InvalidConfig => "invalid configuration",
            Self::Timeout => "timeout",
            Self::NeverFits => "never fits",
            Self::Unknown => "outcome unknown",
            Self::Closed => "closed",
            Self::QueueFull => "queue full",
            Self::Capacity => "capacity reached",
            Self::AlgorithmMismatch => "algorithm mismatch",
            Self::Corrupt => "corrupt bucket",
            Self::Unavailable => "store unavailable",
            Self::Unsupported => "unsupported operation",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, a sentence for the person who reads it, and the cause where another library named one.
///
/// # Examples
/// ```
/// use scupper::{ErrorKind, Rate};
///
/// let error = "5 per second".parse::<Rate>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidRate);
/// assert!(!error.is_transient());
/// assert!(error.to_string().contains("5/s"), "says what would be right: {error}");
/// ```
#[derive(Debug)]
pub struct Error(Box<Repr>);

#[derive(Debug)]
struct Repr {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind with a sentence that says what is wrong and, where it helps, what would be right.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Unavailable, "the server is away");
    /// assert_eq!(error.message(), "the server is away");
    /// assert_eq!(error.to_string(), "store unavailable: the server is away");
    /// ```
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Repr { kind, message: message.into(), source: None }))
    }

    /// The same error, caused by another.
    ///
    /// # Examples
    /// ```
    /// use scupper::{Error, ErrorKind};
    /// use std::{error::Error as _, io};
    ///
    /// let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    /// let error = Error::new(ErrorKind::Unavailable, "the server is away").with_source(refused);
    /// assert_eq!(error.source().unwrap().to_string(), "connection refused");
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same kind and message once more, for another operation that failed with this one.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.0.kind, self.0.message.clone())
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence alone, for a place where the kind is said already.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.kind.is_transient()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The result of anything that can fail here.
///
/// # Examples
/// ```
/// fn limiter() -> scupper::Result<scupper::Limiter> {
///     scupper::Limiter::builder().rates(["5/s".parse()?]).build()
/// }
/// assert!(limiter().is_ok());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

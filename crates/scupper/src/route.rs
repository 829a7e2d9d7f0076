//! Which bucket a request goes to, and under which quota.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::quota::Quota;
use crate::sync::Arc;

/// What a route knows of a request.
#[derive(Clone, Copy, Debug)]
pub struct RouteRequest<'a> {
    key: &'a str,
    weight: u64,
}

impl<'a> RouteRequest<'a> {
    /// Who asks.
    #[must_use]
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// For how many units; 1 where a route is asked for the bucket alone.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.weight
    }
}

/// Where a request goes: the key of a bucket, and the quota to hold it to.
///
/// When the rates for a key change, the bucket's history counts under the new ones. When the algorithm does, a bucket that
/// owes anything answers with [`ErrorKind::AlgorithmMismatch`]; give each algorithm buckets of its own, as here.
///
/// # Examples
/// ```
/// use scupper::{Algorithm, Limiter, Quota, Rate, Routed};
///
/// let free = Quota::new(Algorithm::SlidingWindowLog, Rate::per_minute(10)?)?;
/// let paid = Quota::new(Algorithm::TOKEN_BUCKET, Rate::per_minute(1000)?)?;
/// let limiter = Limiter::builder()
///     .route(move |request| match request.key() {
///         key @ "alice" => Ok(Routed::new(format!("paid:{key}"), paid.clone())),
///         key => Ok(Routed::new(key, free.clone())),
///     })
///     .build()?;
/// assert_eq!(limiter.peek("alice")?.remaining(), 1000);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Routed<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) quota: Cow<'a, Quota>,
    /// Whether the quota is the limiter's own, and changes with it.
    pub(crate) follows: bool,
}

impl<'a> Routed<'a> {
    /// To the bucket of this key, under this quota.
    #[must_use]
    pub fn new(key: impl Into<Cow<'a, str>>, quota: Quota) -> Self {
        Self { key: key.into(), quota: Cow::Owned(quota), follows: false }
    }
}

impl<'a> Routed<'a> {
    /// To this very bucket.
    pub(crate) fn to(key: &'a str, quota: &'a Quota) -> Result<Self> {
        check_key(key)?;
        Ok(Self { key: Cow::Borrowed(key), quota: Cow::Borrowed(quota), follows: false })
    }
}

type Choose = dyn for<'a> Fn(RouteRequest<'a>) -> Result<Routed<'a>> + Send + Sync;

/// How a limiter finds the bucket of a request.
#[derive(Clone)]
pub(crate) enum Route {
    PerKey(Quota),
    SingleBucket(Box<str>, Quota),
    Choice(Arc<Choose>),
}

/// The longest key of a request or a bucket.
pub(crate) const MAX_KEY_BYTES: usize = 64 * 1024;

impl Route {
    /// The limiter's own quota; none where a choice is made for each request.
    pub(crate) fn own_quota(&self) -> Option<&Quota> {
        match self {
            Self::PerKey(quota) | Self::SingleBucket(_, quota) => Some(quota),
            Self::Choice(_) => None,
        }
    }

    #[inline]
    pub(crate) fn find<'a>(&'a self, key: &'a str, weight: u64) -> Result<Routed<'a>> {
        match self {
            Self::PerKey(quota) => Ok(Routed { follows: true, ..Routed::to(key, quota)? }),
            Self::SingleBucket(bucket, quota) => {
                Ok(Routed { key: Cow::Borrowed(bucket), quota: Cow::Borrowed(quota), follows: true })
            }
            Self::Choice(choose) => {
                check_key(key)?;
                let routed = choose(RouteRequest { key, weight })?;
                check_key(&routed.key)?;
                Ok(routed)
            }
        }
    }
}

#[inline]
fn check_key(key: &str) -> Result<()> {
    if key.len() <= MAX_KEY_BYTES { Ok(()) } else { Err(too_long(key)) }
}

#[cold]
fn too_long(key: &str) -> Error {
    Error::new(
        ErrorKind::InvalidRequest,
        format!("the key has {} bytes, at most {MAX_KEY_BYTES} are possible; use a hash of it", key.len()),
    )
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerKey(quota) => f.debug_tuple("PerKey").field(quota).finish(),
            Self::SingleBucket(key, quota) => f.debug_tuple("SingleBucket").field(key).field(quota).finish(),
            Self::Choice(_) => f.write_str("Choice"),
        }
    }
}

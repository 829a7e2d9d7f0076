//! Who made a decision.

/// Who made a decision.
///
/// # Examples
/// ```
/// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
/// assert_eq!(limiter.try_acquire("user:42")?.source(), scupper::Source::Store);
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The store that keeps the bucket.
    #[default]
    Store,
    /// The line on this key: earlier requests of this process wait, so the store was not asked.
    Line,
    /// A denial of the store that is still fresh: see
    /// [`LimiterBuilder::denial_cache`](crate::LimiterBuilder::denial_cache).
    DenialCache,
    /// The store could not be asked, and [`OutagePolicy::FailOpen`](crate::OutagePolicy::FailOpen) let the request pass. It was
    /// counted nowhere.
    FailOpen,
    /// The store could not be asked, and [`OutagePolicy::FailClosed`](crate::OutagePolicy::FailClosed) turned the request away.
    FailClosed,
    /// The store could not be asked, and the local rates of [`OutagePolicy::Fallback`](crate::OutagePolicy::Fallback) decided.
    Fallback,
}

use std::borrow::Cow;

use crate::decision::{Decision, Detailed};
use crate::error::Result;
use crate::limiter::bucket::Bucket;
use crate::limiter::core::Core;
use crate::limiter::request::{Request, Whom};
use crate::limiter::shortcut::Shortcut;
use crate::permit::Permit;
use crate::quota::Quota;
use crate::route::{Route, Routed};
use crate::sync::Arc;
use crate::waiting::Pass;

/// Decides who may go now, who must wait, and for how long.
///
/// Cheap to clone, and clones are the same limiter. Usable from threads and from any executor, on every store.
///
/// # Examples
/// ```
/// use scupper::{Decision, Limiter};
///
/// let limiter = Limiter::builder().rates(["5/s".parse()?, "1000/h".parse()?]).build()?;
/// match limiter.try_acquire("user:42")? {
///     Decision::Admitted(permit) => assert_eq!(permit.key(), "user:42"),
///     Decision::Denied(denied) => println!("come back in {:?}", denied.retry_after()),
///     Decision::NeverFits(never) => println!("{} never allows that", never.rate()),
/// }
/// let permit = limiter.acquire("user:42")?; // waits its turn
/// limiter.refund(permit)?; // not needed after all
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Limiter {
    pub(super) core: Arc<Core>,
}

impl Limiter {
    /// Decides on one unit for this key now.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the key is longer than 64 KiB, and what the
    /// store or the route reports: that it could not tell. The memory store reports
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity) and
    /// [`ErrorKind::AlgorithmMismatch`](crate::ErrorKind::AlgorithmMismatch).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["1/h".parse()?]).build()?;
    /// assert!(limiter.try_acquire("user:42")?.is_admitted());
    /// assert!(!limiter.try_acquire("user:42")?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn try_acquire<'a>(&'a self, key: &'a str) -> Result<Decision<'a>> {
        let core = &*self.core;
        if core.gate.is_open(&core.pass)
            && let Route::PerKey(quota) = &core.route
            && let Some(verdict) = core.acquire_at_once(key, quota)
        {
            return Ok(Decision::new(&verdict, Cow::Borrowed(key), quota, 1));
        }
        self.decide(key)
    }

    /// Apart from the usual way: what it needs of the stack would be set up there as well.
    #[inline(never)]
    fn decide<'a>(&'a self, key: &'a str) -> Result<Decision<'a>> {
        self.request(key).try_acquire()
    }

    /// Decides on one unit for this key now, without blocking the executor while a remote store answers.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// # pollster::block_on(async {
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// assert!(limiter.try_acquire_async("user:42").await?.is_admitted());
    /// # Ok::<(), scupper::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn try_acquire_async<'a>(&'a self, key: &'a str) -> Result<Decision<'a>> {
        self.request(key).try_acquire_async().await
    }

    /// Decides on one unit for this key now, and says how its bucket is left.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?, "100/h".parse()?]).build()?;
    /// let detailed = limiter.detailed("user:42")?;
    /// for usage in &detailed.snapshot.usage {
    ///     println!("{}: {} used, {} left", usage.rate, usage.used, usage.remaining);
    /// }
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn detailed<'a>(&'a self, key: &'a str) -> Result<Detailed<'a>> {
        self.request(key).detailed()
    }

    /// [`detailed`](Self::detailed) without blocking the executor.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    pub async fn detailed_async<'a>(&'a self, key: &'a str) -> Result<Detailed<'a>> {
        self.request(key).detailed_async().await
    }

    /// Waits until one unit for this key is admitted, blocking the calling thread.
    ///
    /// # Errors
    /// As for [`Request::acquire`].
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["2/5ms".parse()?]).build()?;
    /// for line in ["one", "two", "three"] {
    ///     limiter.acquire("output")?;
    ///     println!("{line}");
    /// }
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn acquire<'a>(&'a self, key: &'a str) -> Result<Permit<'a>> {
        self.request(key).acquire()
    }

    /// Waits until one unit for this key is admitted, on any executor. [`Request::acquire_async`] says what dropping
    /// the future means.
    ///
    /// # Errors
    /// As for [`Request::acquire`].
    ///
    /// # Examples
    /// ```
    /// # pollster::block_on(async {
    /// let limiter = scupper::Limiter::builder().rates(["5/s".parse()?]).build()?;
    /// let permit = limiter.acquire_async("user:42").await?;
    /// assert_eq!(permit.weight(), 1);
    /// # Ok::<(), scupper::Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn acquire_async<'a>(&'a self, key: &'a str) -> Result<Permit<'a>> {
        self.request(key).acquire_async().await
    }

    /// A request that says more than its key: weight, timeout, time.
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["1048576/s".parse()?]).build()?;
    /// let body = "hello";
    /// limiter.request("upload").weight(body.len() as u64).acquire()?;
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn request<'a>(&'a self, key: &'a str) -> Request<'a> {
        Request::new(&self.core, Whom::Key(key))
    }

    /// A handle to the bucket of this key, for whoever asks often: it is routed and looked up once.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// let limiter = scupper::Limiter::builder().rates(["100/s".parse()?]).build()?;
    /// let bucket = limiter.bucket("user:42")?;
    /// for _ in 0..100 {
    ///     assert!(bucket.try_acquire()?.is_admitted());
    /// }
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn bucket(&self, key: &str) -> Result<Bucket> {
        self.pin(self.core.find(key, 1)?)
    }

    /// A handle to the bucket of this very key, past the route: for keys that were listed, or that a permit names.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// use scupper::{Algorithm, Limiter, Quota, Routed};
    ///
    /// let quota = Quota::new(Algorithm::SlidingWindowLog, "5/s")?;
    /// let free = quota.clone();
    /// let limiter = Limiter::builder()
    ///     .route(move |request| Ok(Routed::new(format!("free:{}", request.key()), free.clone())))
    ///     .build()?;
    /// let _decision = limiter.try_acquire("user:42")?;
    /// for key in limiter.list("free:", None, 100)?.keys {
    ///     assert!(limiter.bucket_under(&key, &quota)?.reset()?);
    /// }
    /// # Ok::<(), scupper::Error>(())
    /// ```
    pub fn bucket_under(&self, key: &str, quota: &Quota) -> Result<Bucket> {
        self.pin(Routed::to(key, quota)?)
    }

    fn pin(&self, routed: Routed<'_>) -> Result<Bucket> {
        let core = &self.core;
        let shortcut = core.store.store.pin(&routed.key, &routed.quota)?.map(Shortcut::new);
        // What is seen now may be older than the quota, never newer: then the handle looks again.
        let pass = Pass::default();
        Ok(Bucket {
            core: Arc::clone(core),
            gate: Arc::clone(&core.room.gate),
            key: routed.key.into(),
            quota: routed.quota.into_owned(),
            follows: routed.follows,
            pass,
            shortcut,
        })
    }
}

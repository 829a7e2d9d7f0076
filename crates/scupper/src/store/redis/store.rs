use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::store::batch::Batch;
use crate::store::contract::Store;
use crate::store::io::Io;
use crate::store::redis::intake::Intake;
use crate::store::redis::job::Job;
use crate::store::redis::list::list;
use crate::store::redis::settings::Settings;
use crate::store::redis::url::Address;
use crate::store::redis::way::{Guide, Way};
use crate::store::started::Started;
use crate::store::submission::Submission;
use crate::sync::Arc;

/// Buckets in Redis or Valkey: one limit for many machines.
///
/// Each decision is one call of a script on the server, at the server's own time: no client's clock matters. Calls of this
/// process gather while others are under way and go out together, so that a flood costs the server little. A bucket is one
/// key that expires by itself; `docs/redis.md` tells its form, and what a crash of a server can forget.
///
/// | URL | what is there |
/// |---|---|
/// | `redis://user:password@host:6379/0` | one server; user, password, port and database may be left out |
/// | `redis+sentinel://host:26379,host/master` | servers under the eyes of sentinels, which know where the master is |
/// | `redis+cluster://host:6379,host` | a cluster, by some of its nodes |
/// | `rediss://…`, `rediss+sentinel://…`, `rediss+cluster://…` | the same under TLS |
///
/// Options follow after a question mark: `prefix=` is what every key begins with, `scupper:` unless set; `ca=`, `cert=` and
/// `key=` are files in PEM for TLS; `sentinel_user=` and `sentinel_password=` are for sentinels that want them. Special
/// characters of users, passwords and options are written like `%40`. `valkey` may stand in place of `redis`.
///
/// Clones share their connections. Talking to servers is done by a thread of the store's own, so that it works in any
/// runtime or none, and blocking on it inside of an asynchronous task holds up that task's thread alone. Nothing that
/// may have been carried out is sent again: a call that broke off after it was sent is
/// [`ErrorKind::Unknown`](crate::ErrorKind::Unknown), one that was not sent [`Unavailable`](crate::ErrorKind::Unavailable).
///
/// # Examples
/// ```no_run
/// use scupper::{Limiter, RedisStore};
///
/// let store = RedisStore::open("redis://127.0.0.1")?;
/// let limiter = Limiter::builder().rates(["5/s".parse()?, "1000/h".parse()?]).store(store).build()?;
/// if limiter.try_acquire("user:42")?.is_admitted() {
///     println!("one of five in this second, whichever machine asks");
/// }
/// # Ok::<(), scupper::Error>(())
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    address: Address,
    guide: Guide,
    settings: Settings,
    active: Started<Active>,
}

struct Active {
    way: Arc<Way>,
    io: Io,
}

impl RedisStore {
    pub(super) fn at(address: Address, settings: Settings) -> Result<Self> {
        let guide = Guide::new(&address)?;
        Ok(Self(Arc::new(Inner { address, guide, settings, active: Started::nothing() })))
    }

    /// Whether the servers can be reached.
    pub(super) async fn check(&self) -> Result<()> {
        let active = self.0.active()?;
        let way = Arc::clone(&active.way);
        let key = self.0.address.prefix.clone();
        let check = async move {
            way.check().await?;
            may_look(&way, key).await
        };
        active.io.runner().carry_out(check).await
    }
}

/// Whether this user may run the script, and have it look at keys with this prefix.
async fn may_look(way: &Way, key: String) -> Result<()> {
    let (job, answer) = Job::that_looks(key);
    way.send(job);
    match answer.await.unwrap_or_default().pop() {
        Some(Ok(_)) => Ok(()),
        // What lies under that key is not the question.
        Some(Err(error)) if error.kind() == ErrorKind::Corrupt => Ok(()),
        Some(Err(error)) => Err(error),
        None => Err(Error::new(ErrorKind::Closed, "the store was closed meanwhile")),
    }
}

impl Inner {
    fn active(&self) -> Result<Arc<Active>> {
        self.active.get(|| {
            let io = Io::start("scupper-redis")?;
            let way = Arc::new(Way::new(&self.guide, self.settings, io.runner().clone()));
            Ok(Active { way, io })
        })
    }
}

impl Store for RedisStore {
    fn submit(&self, batch: Batch<'_>) -> Submission {
        let active = match self.0.active() {
            Ok(active) => active,
            Err(error) => return Submission::failed(batch, &error),
        };
        let prefix = &self.0.address.prefix;
        let intake = Intake::of(batch, prefix);
        for (job, _) in intake.jobs {
            active.way.send(job);
        }
        for asked in intake.lists {
            active.io.runner().spawn(list(asked, Arc::clone(&active.way), prefix.clone()));
        }
        intake.answers.submission(active)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("address", &self.0.address).finish_non_exhaustive()
    }
}

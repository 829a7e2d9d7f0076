use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::store::redis::access::Access;
use crate::store::redis::endpoint::{Endpoint, digits};
use crate::store::redis::link::{Broken, Link};
use crate::store::redis::login::{Login, Role};
use crate::sync::{AtomicU64, Ordering};

/// Those who know which server is the master now.
pub(super) struct Sentinels {
    endpoints: Vec<Endpoint>,
    master: String,
    login: Login,
    /// The place of the one that answered last.
    first: AtomicU64,
}

impl Sentinels {
    /// Reads the files that are named.
    pub(super) fn new(endpoints: Vec<Endpoint>, master: String, access: &Access) -> Result<Self> {
        let login = Login::new(Role::Sentinel, access)?;
        Ok(Self { endpoints, master, login, first: AtomicU64::new(0) })
    }

    /// Asks one after the other, beginning with the one that answered last. One that was cut off may name a server that is no
    /// master any more: [`is_master`] tells.
    pub(super) async fn find_master(&self, within: Duration) -> Result<Endpoint> {
        let end = Instant::now() + within;
        let count = self.endpoints.len();
        let first = usize::try_from(self.first.load(Ordering::Relaxed)).unwrap_or_default();
        let mut failure: Option<Error> = None;
        for turn in 0..count {
            let place = (first + turn) % count;
            // One that is silent leaves the others their share of the time.
            let remaining = u32::try_from(count - turn).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(Instant::now()) / remaining;
            match self.ask(&self.endpoints[place], share).await {
                Ok(master) => {
                    self.first.store(place as u64, Ordering::Relaxed);
                    return Ok(master);
                }
                // What somebody can correct is the more useful to know.
                Err(error) if failure.as_ref().is_none_or(Error::is_transient) => failure = Some(error),
                Err(_) => {}
            }
        }
        Err(self.explain(failure))
    }

    async fn ask(&self, sentinel: &Endpoint, within: Duration) -> Result<Endpoint> {
        let end = Instant::now() + within;
        let link = Link::connect(sentinel, &self.login, within).await?;
        let mut question = Pipeline::new();
        question.cmd("SENTINEL").arg("get-master-addr-by-name").arg(&self.master);
        let answers = link.call(&question, end.saturating_duration_since(Instant::now())).await;
        let unavailable = |why: &str| Error::new(ErrorKind::Unavailable, format!("the sentinel {sentinel} {why}"));
        let answers = answers.map_err(|broken| unavailable("did not answer").with_source(broken.error))?;
        match answers.into_iter().next() {
            Some(Value::Nil) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "the sentinel {sentinel} knows no master `{}`; the Redis URL names it behind the first '/', as the \
                     setting \"sentinel monitor\" does",
                    self.master
                ),
            )),
            Some(Value::ServerError(error)) => Err(Error::new(
                if error.code() == "NOPERM" { ErrorKind::InvalidConfig } else { ErrorKind::Unavailable },
                format!(
                    "the sentinel {sentinel} does not say who the master is: {} {}",
                    error.code(),
                    error.details().unwrap_or_default()
                ),
            )),
            Some(answer) => endpoint(&answer).ok_or_else(|| unavailable("names a master without host or port")),
            None => Err(unavailable("did not answer")),
        }
    }

    fn explain(&self, failure: Option<Error>) -> Error {
        match failure {
            Some(failure) if !failure.is_transient() => failure,
            failure => {
                let names: Vec<_> = self.endpoints.iter().map(Endpoint::to_string).collect();
                let last = failure.as_ref().map_or("", Error::message);
                let message = format!(
                    "no sentinel says who the master `{}` is; asked were {}; the last said: {last}",
                    self.master,
                    names.join(", ")
                );
                let error = Error::new(ErrorKind::Unavailable, message);
                match failure {
                    Some(failure) => error.with_source(failure),
                    None => error,
                }
            }
        }
    }
}

fn endpoint(answer: &Value) -> Option<Endpoint> {
    let Value::Array(parts) = answer else { return None };
    let [host, port] = parts.as_slice() else { return None };
    let port = digits(text(port)?).filter(|&port| port != 0)?;
    Some(Endpoint::new(text(host).filter(|host| !host.is_empty())?, port))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// Whether the server takes itself for a master.
pub(super) async fn is_master(link: &Link, within: Duration) -> Result<bool, Broken> {
    let mut question = Pipeline::new();
    question.cmd("ROLE");
    let answers = link.call(&question, within).await?;
    Ok(match answers.first() {
        Some(Value::Array(parts)) => parts.first().and_then(text) == Some("master"),
        // It does not let everybody ask. A replica says what it is in answer to the first write.
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::store::redis::fake;
    use crate::sync::Arc;

    const LONG: Duration = Duration::from_mins(1);
    const MASTER: &str = "*2\r\n$8\r\n10.0.0.7\r\n$4\r\n6380\r\n";

    /// A sentinel with this answer, and how often it was asked.
    async fn sentinel(answer: &'static str) -> (Endpoint, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let endpoint = fake::serve(move |mut peer| {
            counter.fetch_add(1, Ordering::Relaxed);
            async move {
                peer.greet().await;
                assert_eq!(peer.command().await, ["SENTINEL", "get-master-addr-by-name", "main"]);
                peer.say(answer).await;
                peer.gone().await;
            }
        });
        (endpoint.await, asked)
    }

    fn sentinels(endpoints: &[&Endpoint]) -> Sentinels {
        let endpoints = endpoints.iter().map(|&endpoint| endpoint.clone()).collect();
        Sentinels::new(endpoints, "main".to_owned(), &Access::default()).unwrap()
    }

    #[tokio::test]
    async fn the_first_sentinel_that_answers_is_asked_first_next_time() {
        let (nobody, _socket) = fake::nobody();
        let (ignorant, ignorant_asked) = sentinel("*-1\r\n").await;
        let (knowing, knowing_asked) = sentinel(MASTER).await;
        let sentinels = sentinels(&[&nobody, &ignorant, &knowing]);
        for _ in 0..3 {
            assert_eq!(sentinels.find_master(LONG).await.unwrap(), Endpoint::new("10.0.0.7", 6380));
        }
        assert_eq!((ignorant_asked.load(Ordering::Relaxed), knowing_asked.load(Ordering::Relaxed)), (1, 3));
    }

    #[tokio::test]
    async fn a_silent_sentinel_leaves_time_for_the_others() {
        let silent = fake::serve(|mut peer| async move {
            peer.command().await;
            tokio::time::pause();
            tokio::time::advance(LONG / 2).await;
            tokio::time::resume();
            peer.gone().await;
        })
        .await;
        let (knowing, _) = sentinel(MASTER).await;
        assert_eq!(sentinels(&[&silent, &knowing]).find_master(LONG).await.unwrap().port, 6380);
    }

    #[tokio::test]
    async fn who_asks_in_vain_is_told_why() {
        use ErrorKind::{InvalidConfig, Unavailable};
        let (nobody, _socket) = fake::nobody();
        for (answer, kind, says) in [
            ("*-1\r\n", InvalidConfig, "knows no master `main`; the Redis URL names it behind the first '/'"),
            ("-NOPERM no\r\n", InvalidConfig, "does not say who the master is: NOPERM no"),
            ("-IDONTKNOW yet\r\n", Unavailable, "does not say who the master is: IDONTKNOW yet"),
            ("*2\r\n$0\r\n\r\n$4\r\n6380\r\n", Unavailable, "names a master without host or port"),
            ("*2\r\n$1\r\na\r\n$1\r\n0\r\n", Unavailable, "names a master without host or port"),
            ("+what?\r\n", Unavailable, "names a master without host or port"),
        ] {
            let (endpoint, _) = sentinel(answer).await;
            for order in [[&endpoint, &nobody], [&nobody, &endpoint]] {
                let error = sentinels(&order).find_master(LONG).await.unwrap_err();
                assert_eq!(error.kind(), kind, "{error}");
                let is_last = order[1] == &endpoint;
                assert!(error.message().contains(says) || kind == Unavailable && !is_last, "{error}");
                assert!(error.message().contains(&endpoint.to_string()), "{error}");
            }
        }
        let error = sentinels(&[&nobody, &nobody]).find_master(LONG).await.unwrap_err();
        let says =
            format!("no sentinel says who the master `main` is; asked were {nobody}, {nobody}; the last said: nobody");
        assert!(error.message().starts_with(&says), "{error}");
    }

    #[tokio::test]
    async fn a_sentinel_with_a_password_names_its_own_options() {
        let locked = fake::serve(|mut peer| async move {
            peer.command().await;
            peer.say("-NOAUTH Authentication required.\r\n").await;
            peer.gone().await;
        })
        .await;
        let error = sentinels(&[&locked]).find_master(LONG).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.message().ends_with("name it with the option sentinel_password in the Redis URL"), "{error}");
    }

    #[tokio::test]
    async fn a_server_says_whether_it_is_the_master() {
        for (answer, is_one) in [
            ("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", true),
            ("*5\r\n$5\r\nslave\r\n$1\r\na\r\n:6379\r\n$9\r\nconnected\r\n:0\r\n", false),
            ("*2\r\n$8\r\nsentinel\r\n*0\r\n", false),
            ("-NOPERM no\r\n", true),
        ] {
            let endpoint = fake::serve(move |mut peer| async move {
                peer.greet().await;
                assert_eq!(peer.command().await, ["ROLE"]);
                peer.say(answer).await;
                peer.gone().await;
            })
            .await;
            let login = Login::new(Role::Server, &Access::default()).unwrap();
            let link = Link::connect(&endpoint, &login, LONG).await.unwrap();
            assert_eq!(is_master(&link, LONG).await.unwrap(), is_one, "{answer}");
        }
    }
}

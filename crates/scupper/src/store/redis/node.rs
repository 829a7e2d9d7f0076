use std::time::{Duration, Instant};

use redis::{Pipeline, Value};
use tokio::sync::Mutex as AsyncMutex;

use crate::error::{Error, ErrorKind, Result};
use crate::store::pause::pause;
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::evaluated::{Answered, Astray, Elsewhere, Evaluated, Group, is_asking};
use crate::store::redis::failure::{Refusal, broken, not_seen, unreadable};
use crate::store::redis::job::fail;
use crate::store::redis::link::Link;
use crate::store::redis::login::Login;
use crate::store::redis::script;
use crate::store::redis::sentinel::{Sentinels, is_master};
use crate::store::redis::settings::Settings;
use crate::sync::Arc;

/// A server that buckets are on, and the link to it: made when it is first needed, and anew when it has broken.
pub(super) struct Node {
    place: Place,
    login: Arc<Login>,
    settings: Settings,
    state: AsyncMutex<State>,
}

/// Where the server is.
pub(super) enum Place {
    Fixed(Endpoint),
    /// Where the sentinels say.
    Sentinels(Arc<Sentinels>),
}

#[derive(Default)]
struct State {
    link: Option<Reached>,
    /// How the last attempt failed, how many in a row have, and when the next may be made.
    failure: Option<(Error, u32, Instant)>,
}

#[derive(Clone)]
struct Reached {
    endpoint: Endpoint,
    link: Arc<Link>,
}

impl Node {
    /// A server that is asked to keep the script and does not know it at once is not fit for it.
    const MOST_ROUNDS: u32 = 4;

    pub(super) fn new(place: Place, login: Arc<Login>, settings: Settings) -> Self {
        Self { place, login, settings, state: AsyncMutex::default() }
    }

    /// Carries out these groups, each in one call of the script.
    pub(super) async fn evaluate(&self, mut groups: Vec<Group>) -> Evaluated {
        let (mut evaluated, mut load) = (Evaluated::default(), false);
        let end = Instant::now() + self.settings.answer_within;
        for _ in 0..Self::MOST_ROUNDS {
            if groups.is_empty() {
                return evaluated;
            }
            let reached = match self.reach().await {
                Ok(reached) => reached,
                Err(error) => {
                    let lost = |group| Astray { group, why: Elsewhere::Lost(error.again()) };
                    evaluated.astray.extend(groups.into_iter().map(lost));
                    return evaluated;
                }
            };
            let pipeline = pipeline(&groups, load);
            let values = match reached.link.call(&pipeline, remaining(end)).await {
                Ok(values) => values,
                // Not one byte has left: it is sent on the next link.
                Err(failure) if !failure.was_sent => continue,
                Err(failure) => {
                    // It may have been for lack of time: whatever else is in flight there is as late.
                    reached.link.abandon();
                    evaluated.has_broken = true;
                    let error = broken(&reached.endpoint, failure.was_sent, failure.error);
                    fail(groups.into_iter().flatten(), &error);
                    return evaluated;
                }
            };
            let mut values = values.into_iter();
            let loaded = if load { values.next() } else { None };
            groups = self.sort(groups, values, &reached, &mut evaluated).await;
            if let Some(Value::ServerError(error)) = loaded
                && let Refusal::Failed(error) = Refusal::of(&error, &reached.endpoint)
            {
                fail(groups.into_iter().flatten(), &error);
                return evaluated;
            }
            load = true;
        }
        let what =
            "the connection to Redis broke, or Redis forgot the script, again and again before anything was done";
        let error = Error::new(ErrorKind::Unavailable, what);
        fail(groups.into_iter().flatten(), &error);
        evaluated
    }

    /// Puts each group to its answer; returns those that are to be sent again, as the server did nothing with them.
    async fn sort(
        &self,
        groups: Vec<Group>,
        mut answers: impl Iterator<Item = Value>,
        reached: &Reached,
        evaluated: &mut Evaluated,
    ) -> Vec<Group> {
        let mut unknown = Vec::new();
        for group in groups {
            if is_asking(&group) {
                // What is said to that.
                answers.next();
            }
            let refusal = match answers.next() {
                Some(Value::Array(values)) => {
                    evaluated.answered.push(Answered { group, values, endpoint: reached.endpoint.clone() });
                    continue;
                }
                Some(Value::ServerError(error)) => Refusal::of(&error, &reached.endpoint),
                _ => Refusal::Failed(unreadable(&reached.endpoint)),
            };
            let why = match refusal {
                Refusal::NoScript => {
                    unknown.push(group);
                    continue;
                }
                Refusal::Moved(to) => Elsewhere::Moved(to),
                Refusal::Ask(to) => Elsewhere::Ask(to),
                Refusal::TryAgain => Elsewhere::TryAgain,
                Refusal::ReadOnly => {
                    self.leave(reached).await;
                    if let Place::Sentinels(_) = self.place {
                        // They may know another by now.
                        unknown.push(group);
                        continue;
                    }
                    let what =
                        format!("Redis at {} is a replica and takes no changes; name its master", reached.endpoint);
                    Elsewhere::Lost(Error::new(ErrorKind::Unavailable, what))
                }
                Refusal::Failed(error) => {
                    fail(group, &error);
                    continue;
                }
            };
            evaluated.astray.push(Astray { group, why });
        }
        unknown
    }

    /// Sends commands that change nothing.
    pub(super) async fn look(&self, commands: &Pipeline) -> Result<Vec<Value>> {
        let reached = self.reach().await?;
        let values = match reached.link.call(commands, self.settings.answer_within).await {
            Ok(values) => values,
            Err(failure) => {
                reached.link.abandon();
                return Err(broken(&reached.endpoint, false, failure.error));
            }
        };
        for value in &values {
            if let Value::ServerError(said) = value
                && let Refusal::Failed(error) = Refusal::of(said, &reached.endpoint)
            {
                return Err(if error.kind() == ErrorKind::Unknown { not_seen(&reached.endpoint, said) } else { error });
            }
        }
        Ok(values)
    }

    /// Whether the server can be reached, and lets one in.
    pub(super) async fn check(&self) -> Result<()> {
        self.reach().await.map(drop)
    }

    async fn reach(&self) -> Result<Reached> {
        let mut state = self.state.lock().await;
        if let Some(reached) = &state.link {
            if reached.link.is_open() {
                return Ok(reached.clone());
            }
            state.link = None;
        }
        if let Some((error, _, next)) = &state.failure
            && Instant::now() < *next
        {
            return Err(error.again());
        }
        match self.connect().await {
            Ok(reached) => {
                *state = State { link: Some(reached.clone()), failure: None };
                Ok(reached)
            }
            Err(error) => {
                let failures = state.failure.as_ref().map_or(0, |(_, failures, _)| *failures);
                let told = error.again();
                state.failure = Some((error, failures.saturating_add(1), Instant::now() + pause(failures)));
                Err(told)
            }
        }
    }

    async fn connect(&self) -> Result<Reached> {
        let end = Instant::now() + self.settings.connect_within;
        let endpoint = match &self.place {
            Place::Fixed(endpoint) => endpoint.clone(),
            // What they take is missing for the connection.
            Place::Sentinels(sentinels) => sentinels.find_master(remaining(end) * 2 / 3).await?,
        };
        let link = Arc::new(Link::connect(&endpoint, &self.login, remaining(end)).await?);
        if let Place::Sentinels(_) = &self.place {
            let is_master = is_master(&link, remaining(end)).await;
            if !is_master.map_err(|failure| broken(&endpoint, false, failure.error))? {
                let what = format!("the sentinels name {endpoint} as the master, which says that it is a replica");
                return Err(Error::new(ErrorKind::Unavailable, what));
            }
        }
        Ok(Reached { endpoint, link })
    }

    /// The next call looks for the server anew.
    async fn leave(&self, reached: &Reached) {
        let mut state = self.state.lock().await;
        if state.link.as_ref().is_some_and(|current| Arc::ptr_eq(&current.link, &reached.link)) {
            state.link = None;
        }
    }
}

fn remaining(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

fn pipeline(groups: &[Group], load: bool) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(groups.len() + 1);
    if load {
        pipeline.add_command(script::load());
    }
    for group in groups {
        if is_asking(group) {
            pipeline.cmd("ASKING");
        }
        pipeline.add_command(script::call(group));
    }
    pipeline
}

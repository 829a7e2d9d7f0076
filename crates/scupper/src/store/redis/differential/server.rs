//! A real server, in a time of the test's own.

use std::collections::HashMap;

use redis::Script;
use scupper_testbed::{Client, RedisServer, Reply};

use crate::store::batch::{Batch, Operation};
use crate::store::outcome::Outcome;
use crate::store::redis::encode::Arguments;
use crate::store::redis::intake::Intake;
use crate::store::redis::job::Job;
use crate::store::redis::reply;
use crate::store::redis::script;
use crate::sync::{AtomicU64, OnceLock, Ordering};

/// Carries out batches by the script, at any time, and has keys expire at that time.
pub(super) struct Server {
    client: Client,
    hash: String,
    prefix: String,
    /// When the keys expire that are there, in milliseconds.
    expiries: HashMap<String, u64>,
    /// How many acquires were decided by the short way.
    pub(super) short: u64,
    /// Whether a mistake of the language is one of the script: it is not, where what is read was no bucket.
    pub(super) is_strict: bool,
}

impl Server {
    pub(super) fn new() -> Self {
        static SERVER: OnceLock<RedisServer> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let text = include_str!("virtual.lua").replace("--[[script]]", script::TEXT);
        assert!(text.len() > script::TEXT.len(), "the script has its place");
        let mut client = SERVER.get_or_init(RedisServer::start).client().unwrap();
        let _ = client.command(&["SCRIPT", "LOAD", &text]).unwrap().granted();
        let prefix = format!("{}:", COUNT.fetch_add(1, Ordering::Relaxed));
        let hash = Script::new(&text).get_hash().to_owned();
        Self { client, hash, prefix, expiries: HashMap::new(), short: 0, is_strict: true }
    }

    /// Leaves nothing of what was before.
    pub(super) fn begin(&mut self) {
        for key in std::mem::take(&mut self.expiries).into_keys() {
            self.delete(&key);
        }
    }

    /// When a key expires, in milliseconds, if it is there.
    pub(super) fn expiry(&self, key: &str) -> Option<u64> {
        self.expiries.get(key).copied()
    }

    /// Lets go of what has expired; says which keys those are.
    pub(super) fn expire(&mut self, clock: u64) -> Vec<String> {
        let expired = self.expiries.extract_if(|_, at| clock / 1_000 > *at).map(|(key, _)| key);
        let expired: Vec<String> = expired.collect();
        for key in &expired {
            self.delete(key);
        }
        expired
    }

    /// The outcomes of a batch at this time.
    pub(super) fn carry_out(&mut self, operations: &[Operation<'_>], clock: u64) -> Vec<Outcome> {
        let Intake { jobs, lists, answers } = Intake::of(Batch::new(operations), &self.prefix);
        assert!(lists.is_empty());
        self.call(jobs.into_iter().map(|(job, _)| job).collect(), clock);
        pollster::block_on(answers.gather()).into_vec()
    }

    /// Whether a list at this time has the key in it.
    pub(super) fn owes(&mut self, key: &str, clock: u64) -> Outcome {
        let (job, mut outcomes) = Job::that_looks([&self.prefix, key].concat());
        self.call(vec![job], clock);
        outcomes.try_recv().unwrap().remove(0)
    }

    /// What the server says to a command on a key.
    pub(super) fn command(&mut self, name: &str, key: &str, further: &[&[u8]]) -> Reply {
        let key = [&self.prefix, key].concat();
        let words = [&[name.as_bytes(), key.as_bytes()], further].concat();
        self.client.command(&words).unwrap().granted()
    }

    fn delete(&mut self, key: &str) {
        self.command("DEL", key, &[]);
    }

    fn call(&mut self, jobs: Vec<Job>, clock: u64) {
        if jobs.is_empty() {
            return;
        }
        let mut words: Vec<Vec<u8>> = vec![b"EVALSHA".into(), self.hash.as_bytes().into()];
        words.push(jobs.len().to_string().into());
        words.extend(jobs.iter().map(|job| job.key.as_bytes().into()));
        Arguments::of(&jobs).each(|argument| words.push(argument.into()));
        words.push(clock.to_string().into());

        let answers = self.client.command(&words).unwrap().granted().array();
        let answers: Vec<Vec<u8>> = answers.into_iter().map(bytes).collect();
        let [time, rest @ .., wrong] = answers.as_slice() else { panic!("no answers but {answers:?}") };
        assert_eq!(numbers::<1>(time), [clock], "the clock is the test's");
        assert!(wrong.is_empty() || !self.is_strict, "{}", String::from_utf8_lossy(wrong));
        let (answers, told) = rest.split_at(jobs.len());
        for ((job, answer), told) in jobs.into_iter().zip(answers).zip(told) {
            let [expiry, ways] = numbers(told);
            if expiry > 0 {
                self.expiries.insert(job.key[self.prefix.len()..].to_owned(), expiry);
            }
            // The long way is tried where the short one has no answer.
            self.short += u64::from(ways == 0);
            let outcomes = reply::read(&job, answer);
            job.finish(outcomes);
        }
    }
}

pub(super) fn bytes(answer: Reply) -> Vec<u8> {
    match answer {
        Reply::Bulk(bytes) => bytes,
        other => panic!("an answer is {other:?}"),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is no whole number fails a test")]
fn numbers<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let (doubles, rest) = bytes.as_chunks();
    assert!(doubles.len() == N && rest.is_empty());
    std::array::from_fn(|place| f64::from_be_bytes(doubles[place]) as u64)
}

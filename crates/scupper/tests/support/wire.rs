//! Operations and outcomes as text, to pass them between processes.

use std::time::Duration;

use scupper::store::{Admission, Denial, Outcome, Outcomes, Reply, Standing, Verdict};
use scupper::{Cause, Cursor, Error, ErrorKind, Page, Quota, Snapshot, Timestamp};
use serde_json::{Value, from_value, json, to_value};

use super::operation::{Kept, KeptAction};

const STANDINGS: [Standing; 3] = [Standing::Alone, Standing::Passing, Standing::Waiting];
const KINDS: [ErrorKind; 13] = [
    ErrorKind::InvalidRate,
    ErrorKind::InvalidRequest,
    ErrorKind::InvalidConfig,
    ErrorKind::Timeout,
    ErrorKind::NeverFits,
    ErrorKind::Unknown,
    ErrorKind::Closed,
    ErrorKind::QueueFull,
    ErrorKind::Capacity,
    ErrorKind::AlgorithmMismatch,
    ErrorKind::Corrupt,
    ErrorKind::Unavailable,
    ErrorKind::Unsupported,
];

fn place_in<T: PartialEq>(list: &[T], value: &T) -> usize {
    list.iter().position(|other| other == value).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn place(value: &Value) -> usize {
    usize::try_from(number(value)).unwrap()
}

fn quota(value: &Value) -> Quota {
    from_value(value.clone()).unwrap()
}

fn tick(value: &Value) -> Timestamp {
    Timestamp::from_micros(number(value))
}

fn cursor(value: &Value) -> Option<Cursor> {
    value.as_str().map(Cursor::new)
}

impl Kept {
    pub(super) fn to_wire(&self) -> Value {
        let action = match &self.action {
            KeptAction::Acquire(quota, weight, standing) => {
                json!(["acquire", quota, weight, place_in(&STANDINGS, standing)])
            }
            KeptAction::Peek(quota) => json!(["peek", quota]),
            KeptAction::Refund(admission) => json!(["refund", admission]),
            KeptAction::Penalize(quota, units) => json!(["penalize", quota, units]),
            KeptAction::Reset => json!(["reset"]),
            KeptAction::Hold(quota, duration) => json!(["hold", quota, duration]),
            KeptAction::List(after, most) => json!(["list", after.as_ref().map(Cursor::place), most]),
        };
        json!([self.key, self.at.map(Timestamp::as_micros), action])
    }

    pub(super) fn of_wire(wire: &Value) -> Self {
        let action = &wire[2];
        let duration = |value: &Value| from_value::<Duration>(value.clone()).unwrap();
        let action = match action[0].as_str().unwrap() {
            "acquire" => KeptAction::Acquire(quota(&action[1]), number(&action[2]), STANDINGS[place(&action[3])]),
            "peek" => KeptAction::Peek(quota(&action[1])),
            "refund" => KeptAction::Refund(from_value(action[1].clone()).unwrap()),
            "penalize" => KeptAction::Penalize(quota(&action[1]), number(&action[2])),
            "reset" => KeptAction::Reset,
            "hold" => KeptAction::Hold(quota(&action[1]), duration(&action[2])),
            "list" => KeptAction::List(cursor(&action[1]), place(&action[2])),
            other => panic!("{other} is no operation"),
        };
        Self { key: wire[0].as_str().unwrap().to_owned(), at: wire[1].as_u64().map(Timestamp::from_micros), action }
    }
}

pub(super) fn outcomes_to(outcomes: &Outcomes) -> Value {
    outcomes.iter().map(outcome_to).collect()
}

pub(super) fn outcomes_of(wire: &Value) -> Outcomes {
    wire.as_array().unwrap().iter().map(outcome_of).collect()
}

fn outcome_to(outcome: &Outcome) -> Value {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) => return json!(["error", place_in(&KINDS, &error.kind()), error.message()]),
    };
    match reply {
        Reply::Acquired(Verdict::Admitted(admission)) => json!(["admitted", admission]),
        Reply::Acquired(Verdict::Denied(Denial { now, retry_at, rate, cause })) => {
            json!(["denied", now, retry_at, rate, cause])
        }
        Reply::Acquired(Verdict::NeverFits { rate }) => json!(["never", rate]),
        Reply::Peeked(snapshot) => json!(["peeked", snapshot]),
        Reply::Refunded(units) => json!(["refunded", units]),
        Reply::Penalized(tick) => json!(["penalized", tick]),
        Reply::Reset(had) => json!(["reset", had]),
        Reply::Held(until) => json!(["held", until]),
        Reply::Listed(page) => json!(["listed", page.keys, page.next.as_ref().map(Cursor::place)]),
        other => panic!("{other:?} is no answer that is known"),
    }
}

fn outcome_of(wire: &Value) -> Outcome {
    Ok(match wire[0].as_str().unwrap() {
        "error" => return Err(Error::new(KINDS[place(&wire[1])], wire[2].as_str().unwrap().to_owned())),
        "admitted" => Reply::Acquired(Verdict::Admitted(from_value::<Admission>(wire[1].clone()).unwrap())),
        "denied" => Reply::Acquired(Verdict::Denied(Denial {
            now: tick(&wire[1]),
            retry_at: tick(&wire[2]),
            rate: wire[3].as_u64().map(|_| place(&wire[3])),
            cause: from_value::<Cause>(wire[4].clone()).unwrap(),
        })),
        "never" => Reply::Acquired(Verdict::NeverFits { rate: place(&wire[1]) }),
        "peeked" => Reply::Peeked(from_value::<Snapshot>(wire[1].clone()).unwrap()),
        "refunded" => Reply::Refunded(number(&wire[1])),
        "penalized" => Reply::Penalized(tick(&wire[1])),
        "reset" => Reply::Reset(wire[1].as_bool().unwrap()),
        "held" => Reply::Held(tick(&wire[1])),
        "listed" => Reply::Listed(Page { keys: from_value(wire[1].clone()).unwrap(), next: cursor(&wire[2]) }),
        other => panic!("{other} is no outcome"),
    })
}

/// What a round trip through text must leave as it is.
#[test]
fn operations_and_outcomes_come_back_as_they_were_sent() {
    let quota = Quota::new(scupper::Algorithm::Gcra, "5/s, 100/h+200").unwrap();
    let admission = Admission { tick: Timestamp::from_micros(7), weight: 2, sequence: u64::MAX };
    let actions = [
        KeptAction::Acquire(quota.clone(), 3, Standing::Waiting),
        KeptAction::Peek(quota.clone()),
        KeptAction::Refund(admission),
        KeptAction::Penalize(quota.clone(), 9),
        KeptAction::Reset,
        KeptAction::Hold(quota, Duration::from_micros(1_500_001)),
        KeptAction::List(Some(Cursor::new("a\n\"b")), 7),
    ];
    for action in actions {
        let kept = Kept { key: "\0{}ü".into(), at: Some(Timestamp::from_micros(u64::MAX)), action };
        let line = kept.to_wire().to_string();
        assert!(!line.contains('\n'));
        let back = Kept::of_wire(&serde_json::from_str(&line).unwrap());
        assert_eq!(format!("{:?}", back.operation()), format!("{:?}", kept.operation()));
    }
    let denial = Denial { now: admission.tick, retry_at: admission.tick, rate: Some(1), cause: Cause::Queued };
    let outcomes: Outcomes = [
        Ok(Reply::Acquired(Verdict::Admitted(admission))),
        Ok(Reply::Acquired(Verdict::Denied(denial))),
        Ok(Reply::Acquired(Verdict::Denied(Denial { rate: None, ..denial }))),
        Ok(Reply::Acquired(Verdict::NeverFits { rate: 3 })),
        Ok(Reply::Refunded(4)),
        Ok(Reply::Reset(true)),
        Ok(Reply::Listed(Page { keys: vec!["a".into()], next: None })),
    ]
    .into_iter()
    .collect();
    let back = outcomes_of(&serde_json::from_str(&outcomes_to(&outcomes).to_string()).unwrap());
    assert_eq!(format!("{back:?}"), format!("{outcomes:?}"));
}

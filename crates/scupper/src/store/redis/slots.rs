use redis::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::store::redis::endpoint::Endpoint;
use crate::store::redis::slot::SLOTS;

/// Which node has which slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    masters: Vec<Endpoint>,
    /// For each slot the place of its node among the masters, from 1; 0 where nobody has it. Empty before anything is known.
    owners: Vec<u16>,
}

impl Slots {
    pub(super) fn owner(&self, slot: u16) -> Option<&Endpoint> {
        let place = self.owners.get(usize::from(slot))?.checked_sub(1)?;
        self.masters.get(usize::from(place))
    }

    /// All nodes that have slots.
    pub(super) fn masters(&self) -> Vec<Endpoint> {
        self.masters.clone()
    }

    pub(super) fn set(&mut self, slot: u16, endpoint: Endpoint) {
        self.set_range(slot, slot, endpoint);
    }

    fn set_range(&mut self, first: u16, last: u16, endpoint: Endpoint) {
        let place = self.masters.iter().position(|master| *master == endpoint).unwrap_or_else(|| {
            self.masters.push(endpoint);
            self.masters.len() - 1
        });
        self.owners.resize(usize::from(SLOTS), 0);
        // A cluster has at most a thousand nodes.
        let place = u16::try_from(place + 1).unwrap_or(0);
        if let Some(owners) = self.owners.get_mut(usize::from(first)..=usize::from(last)) {
            owners.fill(place);
        }
    }
}

/// Reads the answer to `CLUSTER SLOTS`. A node without a host is on the host that was asked.
pub(super) fn read_slots(values: &[Value], asked: &Endpoint) -> Result<Slots> {
    let unreadable = || {
        let what = format!("Redis at {asked} answered something to CLUSTER SLOTS that is no list of slots");
        Error::new(ErrorKind::Unavailable, what)
    };
    let [Value::Array(ranges)] = values else { return Err(unreadable()) };
    let mut slots = Slots::default();
    for range in ranges {
        let (first, last, endpoint) = read_range(range, asked).ok_or_else(unreadable)?;
        slots.set_range(first, last, endpoint);
    }
    if slots.masters.is_empty() {
        let what = format!("the Redis cluster at {asked} has no slots yet; let it be formed first");
        return Err(Error::new(ErrorKind::Unavailable, what));
    }
    Ok(slots)
}

fn read_range(range: &Value, asked: &Endpoint) -> Option<(u16, u16, Endpoint)> {
    let Value::Array(parts) = range else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = parts.as_slice() else { return None };
    let [host, Value::Int(port), ..] = master.as_slice() else { return None };
    let host = match host {
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        _ => "",
    };
    let host = if host.is_empty() || host == "?" { &asked.host } else { host };
    let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok().filter(|last| *last < SLOTS)?);
    (first <= last).then(|| Some((first, last, Endpoint::new(host, u16::try_from(*port).ok()?))))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: i64, last: i64, host: Option<&str>, port: i64) -> Value {
        let host = host.map_or(Value::Nil, |host| Value::BulkString(host.into()));
        let master = Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master])
    }

    #[test]
    fn slots_are_read_and_change() {
        let asked = Endpoint::new("seed", 7000);
        let ranges = vec![range(0, 99, Some("a"), 1), range(100, 100, None, 2), range(200, 16_383, Some(""), 3)];
        let mut slots = read_slots(&[Value::Array(ranges)], &asked).unwrap();
        let owner = |slots: &Slots, slot| slots.owner(slot).map(Endpoint::to_string);
        assert_eq!(owner(&slots, 0).as_deref(), Some("a:1"));
        assert_eq!(owner(&slots, 100).as_deref(), Some("seed:2"));
        assert_eq!(owner(&slots, 101), None);
        assert_eq!(owner(&slots, 16_383).as_deref(), Some("seed:3"));
        slots.set(0, Endpoint::new("b", 9));
        assert_eq!((owner(&slots, 0).as_deref(), owner(&slots, 1).as_deref()), (Some("b:9"), Some("a:1")));
        assert_eq!(slots.masters().len(), 4);
    }

    #[test]
    fn what_is_no_list_of_slots_is_an_error() {
        let asked = Endpoint::new("seed", 7000);
        let list = |range| Value::Array(vec![range]);
        for wrong in [
            Value::Nil,
            list(Value::Nil),
            Value::Array(vec![]),
            list(range(5, 4, None, 1)),
            list(range(0, 16_384, None, 1)),
            list(range(-1, 3, None, 1)),
            list(range(0, 3, None, 70_000)),
            list(Value::Array(vec![Value::Int(0), Value::Int(1)])),
        ] {
            assert_eq!(
                read_slots(std::slice::from_ref(&wrong), &asked).unwrap_err().kind(),
                ErrorKind::Unavailable,
                "{wrong:?}"
            );
        }
        assert!(read_slots(&[], &asked).is_err());
        assert_eq!(Slots::default().owner(3), None);
    }
}

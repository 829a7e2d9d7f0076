//! Numbers in few bytes: seven bits a byte, the lowest first, the highest bit of all but the last byte set. A bucket's are small,
//! or close to each other, and a short row is a cheap one.

use crate::error::Result;
use crate::store::bucket::corrupt;

pub(super) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Events of a log, oldest first, as what each adds to the one before: its tick and the units up to and with it.
pub(super) fn push_events(out: &mut Vec<u8>, since: u64, events: &[(u64, u64)]) {
    let mut before = (0, since);
    for &(tick, total) in events {
        push(out, tick.wrapping_sub(before.0));
        push(out, total.wrapping_sub(before.1));
        before = (tick, total);
    }
}

/// Reads what [`push`] wrote.
#[derive(Debug)]
pub(super) struct Unpacked<'a>(pub(super) &'a [u8]);

impl Unpacked<'_> {
    #[inline]
    pub(super) fn next(&mut self) -> Result<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let Some((&byte, rest)) = self.0.split_first() else { return Err(corrupt("it is cut off")) };
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift >= u64::BITS || (bits << shift) >> shift != bits {
                return Err(corrupt("one of its numbers is too large"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    /// All events up to the end, of a log that had so many units before them.
    pub(super) fn events(mut self, since: u64) -> Result<Vec<(u64, u64)>> {
        let mut events = Vec::with_capacity(self.0.len() / 4);
        let mut before = (0_u64, since);
        while !self.0.is_empty() {
            let (tick, total) = (before.0.checked_add(self.next()?), before.1.checked_add(self.next()?));
            let (Some(tick), Some(total)) = (tick, total) else { return Err(corrupt("its numbers run over")) };
            before = (tick, total);
            events.push(before);
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        let numbers = [0, 1, 0x7f, 0x80, 1 << 20, u64::MAX >> 1, u64::MAX];
        let mut out = Vec::new();
        for number in numbers {
            push(&mut out, number);
        }
        let mut unpacked = Unpacked(&out);
        assert_eq!(numbers.map(|_| unpacked.next().unwrap()), numbers);
        assert!(unpacked.next().is_err(), "there are no more");
    }

    #[test]
    fn events_come_back_as_they_were() {
        let events = [(0, 8), (0, 9), (5, 10), (1 << 62, 1 << 40), (u64::MAX, u64::MAX)];
        let mut out = Vec::new();
        push_events(&mut out, 7, &events);
        assert_eq!(Unpacked(&out).events(7).unwrap(), events);
        assert!(Unpacked(&out).events(1 << 40).is_err(), "they run over");
        assert!(Unpacked(&out[..out.len() - 1]).events(7).is_err(), "they are cut off");
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        for bytes in [&[0x80][..], &[0xff; 10], &[0x80; 12], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert!(Unpacked(bytes).next().is_err(), "{bytes:?}");
        }
    }
}

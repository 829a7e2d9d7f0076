/// What has made the permits of a bucket worthless, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Vec<Turn>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    Reset,
    /// The clock went back to here for good.
    Back(u64),
    /// At this tick the bucket owed nothing, so that its store may have forgotten it; not if this was `soon` after a change
    /// and it had to remember which permits are worthless.
    Idle {
        at: u64,
        soon: bool,
    },
}

impl Turns {
    pub(super) fn push(&mut self, turn: Turn) {
        self.0.push(turn);
    }

    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a permit of this tick, given when there had been so many turns, may be like one that a bucket gave which was
    /// made anew since: the clock went back, and that bucket may have been there at this tick.
    pub(super) fn may_repeat(&self, count: usize, tick: u64) -> bool {
        let (mut remembers, mut went_back, mut since) = (false, false, None);
        for turn in &self.0[count..] {
            match *turn {
                Turn::Reset => remembers = true,
                Turn::Back(to) => {
                    (remembers, went_back) = (true, true);
                    since = since.map(|since: u64| since.min(to));
                }
                Turn::Idle { soon, .. } if remembers && soon => {}
                Turn::Idle { at, .. } => since = Some(since.map_or(at, |since| since.min(at))),
            }
        }
        went_back && since.is_some_and(|since| since <= tick)
    }
}

use std::time::{Duration, Instant};

/// Whether many ask at the same time. Tasks that take turns on a thread never meet at the file, and each would have a
/// transaction of its own: in a crowd, who comes first lets others come, too, before all go together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    is_there: bool,
    /// So many more go alone before it is tried whether others come.
    alone: u32,
    /// So many go alone after it was tried in vain.
    pause: u32,
    last: Option<Instant>,
}

impl Crowd {
    /// Who comes later than this after the last one comes alone.
    const CLOSE: Duration = Duration::from_micros(200);
    const SHORTEST_PAUSE: u32 = 8;
    const LONGEST_PAUSE: u32 = 1_024;

    pub(super) const fn new() -> Self {
        Self { is_there: false, alone: Self::SHORTEST_PAUSE, pause: Self::SHORTEST_PAUSE, last: None }
    }

    /// Whether one that comes now, and finds the file free, should let others come before it goes.
    pub(super) fn is_awaited(&mut self) -> bool {
        if self.last.is_none_or(|last| last.elapsed() > Self::CLOSE) {
            return false;
        }
        self.alone = self.alone.saturating_sub(1);
        self.is_there || self.alone == 0
    }

    /// So many went together.
    pub(super) fn went(&mut self, jobs: usize) {
        self.last = Some(Instant::now());
        if jobs > 1 {
            (self.is_there, self.pause) = (true, Self::SHORTEST_PAUSE);
        } else if self.is_there || self.alone == 0 {
            self.is_there = false;
            self.alone = self.pause;
            self.pause = Self::LONGEST_PAUSE.min(self.pause * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_comes_again_and_again_is_soon_left_alone() {
        let mut crowd = Crowd::new();
        assert!(!crowd.is_awaited(), "nobody came before");
        let mut waits = 0;
        for _ in 0..10_000 {
            crowd.went(1);
            waits += u32::from(crowd.is_awaited());
        }
        assert!((1..=20).contains(&waits), "{waits}");
    }

    #[test]
    fn while_many_come_together_each_lets_others_come() {
        let mut crowd = Crowd::new();
        crowd.went(2);
        for _ in 0..100 {
            assert!(crowd.is_awaited());
            crowd.went(64);
        }
        crowd.went(1);
        assert!(!crowd.is_awaited(), "nobody else came");
    }
}

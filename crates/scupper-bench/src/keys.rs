//! The keys that the keyed cases visit.

/// `user:0`, `user:1`, … as strings of their own, one shuffled copy per thread. Requests then
/// come to the keys in no order, while the strings themselves are read in sequence, the way a
/// server has its next request at hand.
#[derive(Debug)]
pub(crate) struct Keys {
    orders: Vec<Vec<String>>,
}

impl Keys {
    pub(crate) fn new(count: u32, threads: u32) -> Self {
        let orders = (0..threads)
            .map(|thread| {
                let mut numbers: Vec<u32> = (0..count).collect();
                fastrand::Rng::with_seed(u64::from(thread) + 1).shuffle(&mut numbers);
                numbers.iter().map(|n| format!("user:{n}")).collect()
            })
            .collect();
        Self { orders }
    }

    /// Every key once.
    pub(crate) fn all(&self) -> &[String] {
        self.orders.first().map_or(&[], Vec::as_slice)
    }

    /// Every key once, in the order of this thread.
    pub(crate) fn of(&self, thread: usize) -> &[String] {
        self.orders.get(thread).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_visit_the_same_keys_in_different_orders() {
        let keys = Keys::new(100, 2);
        let (mut first, mut second) = (keys.of(0).to_vec(), keys.of(1).to_vec());
        assert_ne!(first, second);
        first.sort_unstable();
        second.sort_unstable();
        assert_eq!(first, second);
        assert_eq!(first.len(), 100);
    }
}

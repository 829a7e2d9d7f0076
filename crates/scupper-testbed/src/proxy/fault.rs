//! What a proxy does to connections.

use std::time::Duration;

/// What a proxy does to its connections, and to which.
///
/// All but [`refuse`](Self::refuse) strike a connection when its client sends something: any bytes, or with
/// [`when_sent`](Self::when_sent) those with a given word in them. Bytes are judged as they arrive, so what a client sends in
/// one piece is passed on, held or lost as a whole.
///
/// # Examples
///
/// ```
/// use scupper_testbed::Fault;
///
/// // Once: the server carries out the script, and its answer is lost.
/// let fault = Fault::cut_after_send().when_sent("EVALSHA").times(1);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until a proxy has it"]
pub struct Fault {
    pub(super) effect: Effect,
    needle: Option<Vec<u8>>,
    left: Option<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    Refuse,
    CutBeforeSend,
    CutAfterSend,
    CutInReply { bytes: usize },
    Stall,
    StallReplies,
    Delay(Duration),
}

impl Fault {
    /// Closes every connection at once, and each new one as soon as it is made.
    ///
    /// It strikes new connections, and looks at nothing that is sent.
    pub fn refuse() -> Self {
        Self::new(Effect::Refuse)
    }

    /// Closes the connection instead of passing on what is sent: the server never sees it.
    pub fn cut_before_send() -> Self {
        Self::new(Effect::CutBeforeSend)
    }

    /// Passes on what is sent, loses every answer to it, and closes the connection. When the client sees the close, the
    /// server has carried it out.
    pub fn cut_after_send() -> Self {
        Self::new(Effect::CutAfterSend)
    }

    /// Passes on what is sent, then only so many bytes of what the server answers from then on, and closes the connection.
    pub fn cut_in_reply(bytes: usize) -> Self {
        Self::new(Effect::CutInReply { bytes })
    }

    /// Holds what is sent and what is answered, and closes nothing. What is held goes on when the fault is
    /// [removed](crate::Proxy::heal); under another fault, what was sent is judged anew.
    pub fn stall() -> Self {
        Self::new(Effect::Stall)
    }

    /// Passes on what is sent and holds what is answered, until the fault is changed or removed: the server carries it out,
    /// and nobody learns of it.
    pub fn stall_replies() -> Self {
        Self::new(Effect::StallReplies)
    }

    /// Passes on each answer so much later, as a long line would, until the fault is changed or removed.
    pub fn delay(by: Duration) -> Self {
        Self::new(Effect::Delay(by))
    }

    /// Strikes only when this is sent, such as `EVALSHA`, so that what sets up a connection passes.
    pub fn when_sent(mut self, needle: impl Into<Vec<u8>>) -> Self {
        self.needle = Some(needle.into());
        self
    }

    /// Strikes so many times, then never again.
    pub fn times(mut self, times: u64) -> Self {
        self.left = Some(times);
        self
    }

    fn new(effect: Effect) -> Self {
        Self { effect, needle: None, left: None }
    }

    /// Whether it strikes a new connection; where it does, one time less is left.
    pub(super) fn refuses(&mut self) -> bool {
        self.effect == Effect::Refuse && self.take_one()
    }

    /// What it does about `sent`, of which the first `old` bytes had been seen before; where it does something, one time less
    /// is left.
    pub(super) fn strike(&mut self, sent: &[u8], old: usize) -> Option<Effect> {
        let strikes = self.effect != Effect::Refuse && self.is_about(sent, old) && self.take_one();
        strikes.then_some(self.effect)
    }

    fn is_about(&self, sent: &[u8], old: usize) -> bool {
        let Some(needle) = self.needle.as_deref().filter(|needle| !needle.is_empty()) else { return true };
        let start = (old + 1).saturating_sub(needle.len());
        sent[start..].windows(needle.len()).any(|part| part == needle)
    }

    fn take_one(&mut self) -> bool {
        let some_left = self.left != Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        some_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_across_two_pieces_but_not_twice() {
        let fault = Fault::stall().when_sent("EVALSHA");
        assert!(fault.is_about(b"...EVALSHA...", 0));
        assert!(fault.is_about(b"...EVALSHA...", 9));
        assert!(!fault.is_about(b"...EVALSHA...", 10));
        assert!(!fault.is_about(b"EVAL", 0));
    }

    #[test]
    fn it_strikes_as_often_as_it_may() {
        let mut fault = Fault::stall().when_sent("x").times(2);
        let strikes = [b"x", b"y", b"x", b"x"].map(|sent| fault.strike(sent, 0).is_some());
        assert_eq!(strikes, [true, false, true, false]);
        let mut fault = Fault::stall();
        assert!((0..1000).all(|_| fault.strike(b"x", 0).is_some()));
    }

    #[test]
    fn a_refusal_is_about_new_connections_alone() {
        let mut fault = Fault::refuse().times(1);
        assert_eq!(fault.strike(b"x", 0), None);
        assert!(fault.refuses());
        assert!(!fault.refuses());
        assert!(!Fault::stall().refuses());
    }
}

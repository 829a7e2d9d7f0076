use crate::store::submission::Outcomes;

/// What has become of a batch so far. The rest can be carried out later, and by another thread.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Of the first of its operations.
    pub(super) outcomes: Outcomes,
    /// From where on some of these lack room that is yet to be looked for.
    pub(super) lacks_room_from: Option<usize>,
}

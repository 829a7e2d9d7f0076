use crate::rate::Rate;

/// What a ledger remembers, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The events of a log, or the lanes of the rates in use, in their order.
    pub(crate) own: Vec<(u64, u64)>,
    /// The lanes of rates that others asked for.
    pub(crate) others: Vec<(Rate, (u64, u64))>,
}

//! What Postgres answers.

use postgres::SimpleQueryMessage;

/// The rows of an answer, each value as Postgres writes it; `None` is a null. Statements without rows have none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rows(pub Vec<Vec<Option<String>>>);

impl Rows {
    pub(super) fn of(messages: &[SimpleQueryMessage]) -> Self {
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        Self(rows.collect())
    }

    /// The first value of each row; a null is empty.
    #[must_use]
    pub fn column(&self) -> Vec<String> {
        self.0.iter().map(|row| row.first().cloned().flatten().unwrap_or_default()).collect()
    }

    /// The first value of the first row; a null, or no row, is empty.
    #[must_use]
    pub fn text(&self) -> String {
        self.column().into_iter().next().unwrap_or_default()
    }

    /// The first value of the first row.
    ///
    /// # Panics
    ///
    /// When it is no whole number.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.text().parse().unwrap_or_else(|_| panic!("The answer should have been a number: {self:?}"))
    }
}

use tokio_postgres::{Client, Error as PostgresError, SimpleQueryMessage};

use crate::error::{Error, ErrorKind};
use crate::store::postgres::schema::Schema;

/// What is lacking of what the store does. Nobody decides who may only read, and whoever may not delete leaves rows behind for
/// good.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lacking {
    /// Whether there is a function that whoever made the schema did not know.
    lacks_function: bool,
    role: String,
    /// Rights, and what they are on.
    rights: Vec<(String, String)>,
}

/// Asks by what the catalogue says, which anybody may read.
const LOOK: &str = "WITH here AS (SELECT to_regnamespace($name${s}$name$) AS schema) \
    SELECT quote_ident(current_user), lacks.rights, lacks.place FROM here, LATERAL ( \
      SELECT 0 AS nth, NULL::text AS rights, name AS place FROM unnest(ARRAY[{functions}]) AS name \
      WHERE NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = here.schema AND p.proname = name) \
      UNION ALL SELECT 1, 'USAGE', $name$SCHEMA {s}$name$ \
      WHERE NOT has_schema_privilege(here.schema, 'USAGE') \
      UNION ALL SELECT 2, 'EXECUTE', $name$ALL FUNCTIONS IN SCHEMA {s}$name$ \
      WHERE EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = here.schema AND p.proname IN ({functions}) \
        AND NOT has_function_privilege(p.oid, 'EXECUTE')) \
      UNION ALL SELECT 3, string_agg(privilege, ', ' ORDER BY place), $name${s}$name$ || '.' || c.relname \
      FROM pg_class AS c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS needed (privilege, place) \
      WHERE c.relnamespace = here.schema AND c.relname IN ('bucket', 'chunk') AND NOT has_table_privilege(c.oid, privilege) \
      GROUP BY c.relname \
    ) AS lacks ORDER BY lacks.nth, lacks.place";

/// The functions that the store calls, or that call one another.
const FUNCTIONS: [&str; 10] =
    ["version", "clock", "lock_of", "tick_of", "chunk_from", "chunks_from", "look", "make_room", "decide", "sweep"];

impl Lacking {
    pub(super) async fn look(client: &Client, schema: &Schema) -> Result<Self, PostgresError> {
        let mut lacking = Self::default();
        for message in client.simple_query(&Self::query(schema)).await? {
            if let SimpleQueryMessage::Row(row) = message {
                lacking.add(row.get(0), row.get(1), row.get(2));
            }
        }
        Ok(lacking)
    }

    /// What tells it, three texts a row.
    pub(super) fn query(schema: &Schema) -> String {
        let functions = FUNCTIONS.map(|name| format!("'{name}'")).join(", ");
        schema.within(&LOOK.replace("{functions}", &functions))
    }

    /// Takes in a row: the role, and rights that it lacks on something, or else a function that is not there.
    pub(super) fn add(&mut self, role: Option<&str>, rights: Option<&str>, place: Option<&str>) {
        role.unwrap_or_default().clone_into(&mut self.role);
        match rights {
            Some(rights) => self.rights.push((rights.to_owned(), place.unwrap_or_default().to_owned())),
            None => self.lacks_function = true,
        }
    }

    /// Whether the schema is to be made once more, over what there is of it.
    pub(super) const fn is_incomplete(&self) -> bool {
        self.lacks_function
    }

    /// What to do about rights, if any are lacking.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] with the statements that give the role what it lacks.
    pub(super) fn check(&self, schema: &Schema) -> Result<(), Error> {
        if self.rights.is_empty() {
            return Ok(());
        }
        let grant = |(rights, place): &(String, String)| format!("GRANT {rights} ON {place} TO {};", self.role);
        let grants: Vec<String> = self.rights.iter().map(grant).collect();
        let what = format!(
            "the role {} lacks rights on the schema {:?}, without which buckets cannot be kept; have its owner run: {}",
            self.role,
            schema.name(),
            grants.join(" ")
        );
        Err(Error::new(ErrorKind::InvalidConfig, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_to_each_function_that_is_made_is_asked_for() {
        let schema = Schema::new("s").unwrap();
        let sql = schema.sql();
        let made = sql.split("CREATE OR REPLACE FUNCTION \"s\".").skip(1);
        let mut made: Vec<&str> = made.filter_map(|text| text.split('(').next()).collect();
        made.sort_unstable();
        let mut known = FUNCTIONS;
        known.sort_unstable();
        assert_eq!(made, known);
    }
}

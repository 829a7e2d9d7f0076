//! What is in the schema.

use crate::error::{Error, ErrorKind, Result};

/// The form of the tables and functions. Another is an error, never a guess.
const VERSION: i32 = 1;

/// Its name as the SQL has it.
const PLACEHOLDER: &str = "{s}";

const TEXT: &str = concat!(
    // Whoever makes a schema of this library has this lock, so that processes do it one after the other.
    "BEGIN;\nSET LOCAL lock_timeout = 0;\nSET LOCAL search_path = pg_catalog;\nDO $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(6008775453624857137); END $$;\n\n",
    include_str!("schema/tables.sql"),
    "\n",
    include_str!("schema/clock.sql"),
    "\n",
    include_str!("schema/log.sql"),
    "\n",
    include_str!("schema/decide.sql"),
    "\n",
    include_str!("schema/sweep.sql"),
    "\nCOMMIT;\n"
);

/// Where the tables and functions are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schema {
    name: String,
    quoted: String,
}

impl Schema {
    /// Unless another is named.
    pub(super) const DEFAULT: &str = "scupper";
    /// Of a longer name, servers drop the end.
    const LONGEST: usize = 63;

    pub(super) fn new(name: &str) -> Result<Self> {
        if !(1..=Self::LONGEST).contains(&name.len()) || name.contains(|c: char| c == '$' || c.is_control()) {
            // Around the bodies of functions, dollars are what quotes are elsewhere; and a new line ends a comment.
            let what = format!(
                "the name of the schema has {} bytes; it must have 1 to {}, and neither $ nor control characters among them",
                name.len(),
                Self::LONGEST
            );
            return Err(Error::new(ErrorKind::InvalidConfig, what));
        }
        Ok(Self { name: name.to_owned(), quoted: quoted(name) })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// SQL that names this schema.
    pub(super) fn within(&self, sql: &str) -> String {
        sql.replace(PLACEHOLDER, &self.quoted)
    }

    /// What makes it, tables, functions and all.
    pub(super) fn sql(&self) -> String {
        self.within(TEXT)
    }

    /// Whether it is of the version that this library knows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if it is of another.
    pub(super) fn check(&self, found: Option<i32>) -> Result<()> {
        if found == Some(VERSION) {
            return Ok(());
        }
        let found = found.map_or_else(|| "none that is a number".to_owned(), |version| version.to_string());
        let what = format!(
            "the schema {:?} is of version {found}, and this library knows {VERSION}; update the library, or name another schema",
            self.name
        );
        Err(Error::new(ErrorKind::InvalidConfig, what))
    }

    /// What is to be done where this role may not make it in this database.
    pub(super) fn not_made(&self, role: &str, database: &str) -> String {
        format!(
            "the schema {0:?} is not there or not complete, and this role may not make it; have an owner of the database run \
             `scupper schema postgres --schema {0:?} | psql -v ON_ERROR_STOP=1 -d {1:?}`, and then: {2}",
            self.name,
            database,
            self.grants(role)
        )
    }

    /// What a role must be allowed that does not own it.
    fn grants(&self, role: &str) -> String {
        self.within(&GRANTS.replace("{role}", &quoted(role)))
    }
}

const GRANTS: &str =
    "GRANT USAGE ON SCHEMA {s} TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON {s}.bucket, {s}.chunk TO {role};";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_that_there_can_be_is_quoted() {
        let schema = Schema::new("we\"ird; name").unwrap();
        assert_eq!(schema.within("SELECT {s}.version()"), "SELECT \"we\"\"ird; name\".version()");
        assert!(!schema.sql().contains(PLACEHOLDER));
    }

    #[test]
    fn what_a_role_must_be_allowed_names_both() {
        let grants = Schema::new("limits").unwrap().grants("a guest");
        assert!(grants.starts_with("GRANT USAGE ON SCHEMA \"limits\" TO \"a guest\"; "), "{grants}");
        assert!(grants.ends_with(" ON \"limits\".bucket, \"limits\".chunk TO \"a guest\";"), "{grants}");
    }

    #[test]
    fn a_name_that_there_cannot_be_is_refused() {
        for name in ["", "a\0b", "a$b", "s\nDROP TABLE victim;--", "a\rb", "a\u{85}b", &"n".repeat(64)] {
            assert_eq!(Schema::new(name).unwrap_err().kind(), ErrorKind::InvalidConfig);
        }
    }
}

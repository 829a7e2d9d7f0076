use clap::ValueEnum;
use scupper::PostgresStore;

/// Print the SQL that makes the tables and functions of a store
///
/// For databases whose administrator makes them beforehand: the role that the store is opened with need not be allowed to.
/// Without that, a store makes them at its first use. It can be run again, also while the store is in use.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct Args {
    /// For which database
    #[arg(value_enum, value_name = "STORE")]
    pub(super) store: Database,

    /// The schema that they are in, as the store's URL has it behind ?schema=
    #[arg(long, value_name = "NAME", default_value = PostgresStore::DEFAULT_SCHEMA)]
    pub(super) schema: String,
}

/// What keeps its tables in a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    /// Postgres 14 or newer
    Postgres,
}

const HELP: &str = "\
A role that is not the owner needs these rights on them, and no others:

  GRANT USAGE ON SCHEMA scupper TO app;
  GRANT SELECT, INSERT, UPDATE, DELETE ON scupper.bucket, scupper.chunk TO app;

Exit status:
  0    it was printed
  1    the output could not be written
  2    the arguments make no sense

Examples:
  scupper schema postgres | psql -v ON_ERROR_STOP=1 'postgres://owner@10.0.0.5/app'
  scupper schema postgres --schema limits > limits.sql";

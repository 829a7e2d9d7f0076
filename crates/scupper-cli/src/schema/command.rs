use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use scupper::PostgresStore;

use crate::ending::die_of_closed_output;
use crate::failure::{Failure, bare};
use crate::schema::args::{Args, Database};

/// Does what the arguments say.
pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let sql = match args.store {
        Database::Postgres => PostgresStore::schema_sql(&args.schema),
    };
    let usage = |message| Failure::Usage { command: "schema", message };
    let sql = sql.map_err(|error| usage(format!("--schema: {}", error.message())))?;
    let mut out = io::stdout().lock();
    match out.write_all(sql.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => die_of_closed_output(),
        Err(error) => Err(Failure::Work(format!("the output could not be written: {}", bare(&error)))),
    }
}

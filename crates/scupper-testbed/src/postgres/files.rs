//! The files that a Postgres serves.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::account::Account;
use crate::certificates::Certificates;
use crate::keeper::Keeper;
use crate::program::Program;

/// A role that owns the database of its name, and has no other rights.
const ROLE: &str = "CREATE ROLE scupper LOGIN;\nCREATE DATABASE scupper OWNER scupper;\n";

/// The folder with them.
#[derive(Debug)]
pub(super) struct Files {
    data: PathBuf,
    account: Option<Account>,
}

impl Files {
    /// As whom Postgres runs.
    pub(super) fn account() -> Option<Account> {
        Account::instead_of_root("postgres")
    }

    /// Those that are in this folder.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { data: folder.join("data"), account: Self::account() }
    }

    /// From its next start on, the server takes no changes.
    pub(super) fn mark_as_standby(&self) {
        let mark = self.data.join("standby.signal");
        fs::write(&mark, "").expect("the folder is our own");
        self.account.inspect(|account| account.owns(&mark));
    }

    /// Puts new ones into this folder, which is that account's: the superuser `postgres`, and the role and database `scupper`.
    pub(super) fn make_in(folder: &Path) -> Self {
        static MADE: OnceLock<(Keeper, Files)> = OnceLock::new();
        let (_, model) = MADE.get_or_init(|| {
            // Making them takes ten times as long as copying them.
            let keeper = Keeper::new();
            let account = Self::account();
            account.inspect(|account| account.owns(keeper.folder()));
            let files = Self { data: keeper.folder().join("model"), account };
            files.make();
            (keeper, files)
        });
        let files = Self::in_folder(folder);
        succeeds("cp", &Command::new("cp").arg("-a").args([&model.data, &files.data]).output().expect("cp must run"));
        files
    }

    fn make(&self) {
        let mut initdb = self.command(Program::Initdb);
        initdb.arg("-D").arg(&self.data).args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        succeeds("initdb", &initdb.args(["--no-sync", "--no-instructions"]).output().expect("initdb must run"));
        let mut alone = self.command(Program::Postgres);
        alone.arg("--single").arg("-D").arg(&self.data).args(["-c", "fsync=off", "postgres"]);
        alone.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut alone = alone.spawn().expect("postgres must run");
        let mut input = alone.stdin.take().expect("stdin is a pipe");
        input.write_all(ROLE.as_bytes()).expect("postgres must listen");
        drop(input);
        succeeds("postgres --single", &alone.wait_with_output().expect("postgres must end"));
    }

    fn command(&self, program: Program) -> Command {
        let mut command = Command::new(program.path());
        command.current_dir("/");
        self.account.inspect(|account| account.runs(&mut command));
        command
    }

    /// Adds to the settings; where one is set twice, the last counts.
    pub(super) fn configure(&self, lines: &[String]) {
        let mut file = self.open("postgresql.conf");
        file.write_all((lines.join("\n") + "\n").as_bytes()).expect("the folder is our own");
    }

    /// Says who may connect, and how, instead of what was said before.
    pub(super) fn allow(&self, lines: &[String]) {
        let file = self.open("pg_hba.conf");
        file.set_len(0).and_then(|()| (&file).write_all((lines.join("\n") + "\n").as_bytes())).expect("it is our own");
    }

    /// Copies what the server shows and trusts to where it may read it, and nobody else.
    pub(super) fn certify(&self, certificates: &Certificates) {
        let originals = [
            (certificates.authority(), "authority.pem"),
            (certificates.server(), "server.pem"),
            (certificates.server_key(), "server.key"),
        ];
        for (original, name) in originals {
            let copy = self.data.join(name);
            fs::copy(original, &copy).expect("the folder is our own");
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("the file is our own");
            self.account.inspect(|account| account.owns(&copy));
        }
    }

    fn open(&self, name: &str) -> File {
        OpenOptions::new().append(true).open(self.data.join(name)).expect("initdb makes it")
    }
}

#[track_caller]
fn succeeds(name: &str, output: &Output) {
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said)).concat();
    assert!(output.status.success(), "{name} failed:\n{said}");
}

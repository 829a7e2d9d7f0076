//! Who cleans up after a server when its test is killed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A temporary folder, and a shell that outlives this process by the moment it takes to kill the server that writes there
/// and to remove the folder. It learns of our end, whatever the cause, by the closing of its standard input.
#[derive(Debug)]
pub(crate) struct Keeper {
    shell: Child,
    folder: PathBuf,
}

/// Each line that it reads is the leader of the process group to kill in the end, or empty when there is none. Who works in the
/// folder dies as well: the processes of Postgres leave the group. What they shared outlives them, and is named in a file.
/// Removing is tried twice, because who has been killed may take a moment to end.
const SCRIPT: &str = r#"
    folder=$(mktemp -d "${TMPDIR:-/tmp}/scupper-testbed.XXXXXX") || exit
    echo "$folder"
    leader=
    while read -r line; do leader=$line; done
    if [ -n "$leader" ]; then kill -s KILL -- "-$leader"; fi
    for place in $(find /proc -maxdepth 2 -name cwd -lname "$folder/*"); do
        place=${place%/cwd}
        kill -s KILL "${place#/proc/}"
    done
    for notes in "$folder"/*/postmaster.pid; do ipcrm -m "$(sed -n '7s/.* //p' "$notes")"; done
    rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }
"#;

impl Keeper {
    pub(crate) fn new() -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What a terminal or a time limit sends to the group of this process must not reach it.
            .process_group(0)
            .spawn()
            .expect("a shell must start");
        let mut folder = String::new();
        let answers = shell.stdout.take().expect("stdout is a pipe");
        BufReader::new(answers).read_line(&mut folder).expect("the shell must answer");
        let folder = PathBuf::from(folder.trim_end_matches('\n'));
        assert!(folder.is_dir(), "There is no room for temporary folders: `mktemp -d` failed.");
        Self { shell, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Has this group killed when we end; with `None`, no group.
    pub(crate) fn watch(&mut self, leader: Option<u32>) {
        let line = leader.map_or_else(String::new, |leader| leader.to_string());
        let orders = self.shell.stdin.as_mut().expect("stdin is a pipe");
        writeln!(orders, "{line}").expect("the shell must listen");
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // It closes the shell's input first.
        let _ = self.shell.wait();
    }
}

//! The servers that tests and benchmarks start: each must be installed.

use crate::command::Command;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// What tests start, and the Debian packages that bring it.
const PROGRAMS: &[&str] = &["redis-server", "redis-sentinel", "initdb"];
const PACKAGES: &[&str] = &["redis-server", "redis-sentinel", "postgresql"];

/// Runs a program that is on the path, or where Debian puts those of each version of Postgres.
const LOOK: &str = r#"PATH="$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :)"; exec "$0" --version"#;

/// Installs packages without having the services start that they bring.
const INSTALLER: &str = "xtask/install-packages.sh";

/// As whom this user may install packages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Means {
    Root,
    Sudo,
}

/// Makes sure that the servers are there: installs them where it may, and otherwise fails with the command that would.
pub(crate) fn ensure(workspace: &Workspace) -> Result<(), Failure> {
    let look = || missing(|program| Command::new(workspace, "sh").arg("-c").arg(LOOK).arg(program).succeeds());
    if look().is_empty() {
        return Ok(());
    }
    let installed = match means(workspace) {
        Some(means) => install(workspace, means),
        None => Err(Failure::new("This user may not install packages with apt-get.")),
    };
    let missing = look();
    if missing.is_empty() { Ok(()) } else { Err(refusal(&missing, installed.err())) }
}

fn missing(works: impl Fn(&str) -> bool) -> Vec<&'static str> {
    PROGRAMS.iter().copied().filter(|program| !works(program)).collect()
}

fn means(workspace: &Workspace) -> Option<Means> {
    let succeeds = |program: &str, args: &str| Command::new(workspace, program).args(args).succeeds();
    if !succeeds("apt-get", "--version") {
        return None;
    }
    let user = Command::new(workspace, "id").arg("-u").read().ok()?;
    means_of(user.trim(), || succeeds("sudo", "-n true"))
}

/// A sudo that would ask for a password is of no use here.
fn means_of(user: &str, sudo_works: impl Fn() -> bool) -> Option<Means> {
    if user == "0" { Some(Means::Root) } else { sudo_works().then_some(Means::Sudo) }
}

fn install(workspace: &Workspace, means: Means) -> Result<(), Failure> {
    let shell = match means {
        Means::Root => Command::new(workspace, "sh"),
        Means::Sudo => Command::new(workspace, "sudo").args("-n sh"),
    };
    shell.arg(INSTALLER).args(&PACKAGES.join(" ")).run()
}

fn refusal(missing: &[&str], why: Option<Failure>) -> Failure {
    let why = why.map_or_else(String::new, |why| format!(" {why}"));
    Failure::new(format!(
        "Tests start {}, which cannot be run here.{why} On Debian or Ubuntu: sudo apt-get install {}",
        missing.join(" and "),
        PACKAGES.join(" "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_work_is_missing() {
        assert!(missing(|_| true).is_empty());
        assert_eq!(missing(|program| program == "redis-server"), ["redis-sentinel", "initdb"]);
        assert_eq!(missing(|_| false), PROGRAMS);
    }

    #[test]
    fn root_installs_by_itself_and_others_by_a_sudo_that_asks_for_nothing() {
        assert_eq!(means_of("0", || panic!("root needs no sudo")), Some(Means::Root));
        assert_eq!(means_of("1000", || true), Some(Means::Sudo));
        assert_eq!(means_of("1000", || false), None);
    }

    #[test]
    fn who_may_not_install_is_told_what_to_run() {
        let refusal = refusal(&["redis-sentinel"], Some(Failure::new("This user may not.")));
        assert_eq!(
            refusal.to_string(),
            "Tests start redis-sentinel, which cannot be run here. This user may not. On Debian or Ubuntu: sudo apt-get \
             install redis-server redis-sentinel postgresql"
        );
    }
}

//! The tests of the Python package: built as a wheel and installed as its users do, then held to its types, its stubs and its tests.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::command::Command;
use crate::failure::Failure;
use crate::tally::Tally;
use crate::workspace::Workspace;

const PACKAGE: &str = "python";
const SOURCE: &str = "python/scupper";
const BUILDER: &str = "maturin==1.16.0";
const REQUIREMENTS: &str = "python/requirements-test.txt";
const TESTS: &str = "python/tests";
/// What is measured is found here, and the servers that it needs in the tests.
const BENCH: &str = "python/bench";
/// What an interpreter must be to be of use here.
const QUESTION: &str = "import sys, sysconfig, venv; sys.exit(sys.version_info < (3, 10) or bool(sysconfig.get_config_var('Py_GIL_DISABLED')))";
/// The interpreters to try, in this order; a variable of this name comes before them.
const VARIABLE: &str = "SCUPPER_TEST_PYTHON";
const INTERPRETERS: &[&str] = &["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
const INSTALL: &str = "-m pip install --quiet --no-input --disable-pip-version-check";

/// Where the package is tested.
struct Venv {
    python: PathBuf,
    /// Built code, apart from all else: it is built for an interpreter.
    target: PathBuf,
    wheels: PathBuf,
}

/// How the package is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    Dev,
    Release,
}

/// Makes a virtual environment, builds and installs the package there, and runs what holds it to its promises.
pub(crate) fn check(workspace: &Workspace, tally: &mut Tally) -> Result<(), Failure> {
    let venv = Venv::make(workspace)?;
    venv.install_package(workspace, Profile::Dev)?;
    let types = Command::new(workspace, &venv.python).args("-m mypy --strict --cache-dir /dev/null").arg(SOURCE).run();
    let stubs = Command::new(workspace, &venv.python).args("-m mypy.stubtest --concise scupper").run();
    let tests = Command::new(workspace, &venv.python)
        .args("-m pytest --quiet --color=no -p no:cacheprovider")
        .arg(TESTS)
        .watch(|line| tally.read_pytest_line(line));
    Failure::gather([types, stubs, tests].into_iter().filter_map(Result::err).collect())
}

/// Measures the package beside its peer. What is to be quick is built as for tests, and its figures are rough.
pub(crate) fn bench(workspace: &Workspace, is_quick: bool, arguments: &[OsString]) -> Result<(), Failure> {
    let venv = Venv::make(workspace)?;
    venv.install_package(workspace, if is_quick { Profile::Dev } else { Profile::Release })?;
    let paths = [BENCH, TESTS].map(|folder| workspace.root().join(folder));
    let paths =
        env::join_paths(paths).map_err(|error| Failure::new(format!("{BENCH} has no usable path: {error}.")))?;
    let command =
        Command::new(workspace, &venv.python).env("PYTHONPATH", &paths.to_string_lossy()).args("-m scupper_bench");
    arguments.iter().fold(command, Command::arg).run()
}

impl Venv {
    fn make(workspace: &Workspace) -> Result<Self, Failure> {
        let home = workspace.metadata()?.target_directory.join("python");
        let folder = home.join("venv");
        let venv =
            Self { python: folder.join("bin").join("python"), target: home.join("build"), wheels: home.join("wheels") };
        if !answers(workspace, &venv.python) {
            let interpreter = interpreter(workspace)?;
            Command::new(workspace, interpreter).args("-m venv --clear").arg(&folder).run()?;
        }
        // What is there in the right version is left as it is.
        Command::new(workspace, &venv.python)
            .args(INSTALL)
            .args("--only-binary :all:")
            .arg(BUILDER)
            .args("--requirement")
            .arg(REQUIREMENTS)
            .run()?;
        Ok(venv)
    }

    fn install_package(&self, workspace: &Workspace, profile: Profile) -> Result<(), Failure> {
        // One that was built before would be found beside the new one.
        let _ = fs::remove_dir_all(&self.wheels);
        let build = Command::new(workspace, &self.python).args("-m maturin build --quiet");
        let build = if profile == Profile::Release { build.arg("--release") } else { build };
        build
            .arg("--manifest-path")
            .arg(Path::new(PACKAGE).join("Cargo.toml"))
            .args("--interpreter")
            .arg(&self.python)
            .arg("--target-dir")
            .arg(&self.target)
            .arg("--out")
            .arg(&self.wheels)
            .run()?;
        Command::new(workspace, &self.python)
            .args(INSTALL)
            .args("--no-index --no-deps --force-reinstall --find-links")
            .arg(&self.wheels)
            .arg("scupper")
            .run()
    }
}

fn answers(workspace: &Workspace, python: impl AsRef<std::ffi::OsStr>) -> bool {
    Command::new(workspace, python).arg("-c").arg(QUESTION).succeeds()
}

/// An interpreter that the package is made for.
fn interpreter(workspace: &Workspace) -> Result<String, Failure> {
    let chosen = env::var(VARIABLE).ok();
    let candidates: Vec<&str> = chosen.iter().map(String::as_str).chain(INTERPRETERS.iter().copied()).collect();
    first_of(&candidates, |python| answers(workspace, python))
}

fn first_of(candidates: &[&str], answers: impl Fn(&str) -> bool) -> Result<String, Failure> {
    candidates.iter().copied().find(|python| answers(python)).map(str::to_owned).ok_or_else(|| {
        Failure::new(format!(
            "The tests of the Python package need Python 3.10 or later with its module venv, and not a free-threaded one. On Debian: \
             apt-get install python3 python3-venv. {VARIABLE} names another interpreter."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_interpreter_that_will_do_is_taken() {
        let answers = |python: &str| python.starts_with("python3.1");
        assert_eq!(first_of(INTERPRETERS, answers).unwrap(), "python3.14");
    }

    #[test]
    fn without_an_interpreter_the_failure_says_what_to_install() {
        let failure = first_of(&["python3"], |_| false).unwrap_err().to_string();
        assert!(failure.contains("3.10") && failure.contains("apt-get install") && failure.contains(VARIABLE));
    }
}

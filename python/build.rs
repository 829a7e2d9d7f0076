//! Refuses the interpreters that the extension is not made for, before anything fails in a less clear way.

use std::process::Command;

/// Where maturin says which interpreter the extension is to be installed for; it is checked and linked without one.
const INTERPRETER: &str = "PYO3_PYTHON";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={INTERPRETER}");
    let Some(interpreter) = std::env::var_os(INTERPRETER) else { return };
    let question = "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)";
    let answer = Command::new(&interpreter).args(["-c", question]).output();
    let is_free_threaded = answer.is_ok_and(|answer| answer.stdout.starts_with(b"1"));
    if is_free_threaded {
        println!(
            "cargo::error=scupper does not support free-threaded Python yet, and {} is one: its decisions rely on the global \
             interpreter lock. Install it for an interpreter with that lock, 3.10 or later.",
            interpreter.display()
        );
    }
}

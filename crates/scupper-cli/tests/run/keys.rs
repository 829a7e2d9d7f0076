//! What counts together.

use crate::support::{Place, ended};

#[test]
fn runs_of_one_program_count_together_wherever_it_lies_and_others_apart() {
    let place = Place::new("program");
    for command in [["sh", "-c", ":"], ["/bin/sh", "-c", "exit"]] {
        assert_eq!(ended(place.run("--rate 5/h --").args(command)).code(), Some(0));
    }
    assert_eq!(ended(place.run("--rate 5/h -- true").stdin(std::process::Stdio::null())).code(), Some(0));
    assert_eq!((place.used("sh"), place.used("true"), place.used("run")), (2, 1, 0));
}

#[test]
fn a_key_is_given_as_an_argument_or_by_the_environment_and_the_argument_wins() {
    let place = Place::new("keys");
    assert_eq!(ended(&mut place.run("--rate 5/h --key argument -- true")).code(), Some(0));
    assert_eq!(ended(place.run("--rate 5/h -- true").env("SCUPPER_KEY", "environment")).code(), Some(0));
    assert_eq!(ended(place.run("--rate 5/h --key argument -- true").env("SCUPPER_KEY", "environment")).code(), Some(0));
    assert_eq!((place.used("argument"), place.used("environment"), place.used("true")), (2, 1, 0));
}

#[test]
fn the_store_is_an_argument_or_in_the_environment_and_the_argument_wins() {
    let (place, other) = (Place::new("one"), Place::new("other"));
    assert_eq!(ended(&mut place.run("--rate 5/h -- true")).code(), Some(0));
    let to_other = ["--rate", "5/h", "--store", other.url(), "--", "true"];
    assert_eq!(ended(place.run("").args(to_other)).code(), Some(0));
    assert_eq!((place.used("true"), other.used("true")), (1, 1));
}

#[test]
fn a_run_in_a_run_counts_under_the_same_names() {
    let place = Place::new("nested");
    let mut run = place.run("--rate 5/h --");
    run.args([env!("CARGO_BIN_EXE_scupper"), "run", "--rate", "5/h", "--", "true"]).env("SCUPPER_KEY", "nested");
    assert_eq!(ended(&mut run).code(), Some(0));
    assert_eq!(place.used("nested"), 2);
}

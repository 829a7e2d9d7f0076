//! Many shells at once.

use std::process::Command;

use crate::support::{Ended, Place, Running, alone};

const SHELLS: usize = 20;
const RATES: &str = "5/500ms, 20/h";

/// Has twenty shells run something at once, and looks at when each was admitted.
fn keep_to_the_rate(place: impl Fn() -> Place) {
    let all_at_once = |place: &Place| -> Vec<Ended> {
        let shells: Vec<Running> = (0..SHELLS).map(|_| Running::new(&mut shell(place))).collect();
        shells.into_iter().map(Running::end).collect()
    };
    // On a machine that stands still, the second that a call may take may pass, and hardly each time.
    let is_known = |ended: &[Ended]| !ended.iter().any(|ended| ended.errors.contains("outcome unknown"));
    let places = (0..5).map(|_| place()).map(|place| (all_at_once(&place), place));
    let (ended, place) = places.into_iter().find(|(ended, _)| is_known(ended)).unwrap();
    for ended in ended {
        assert_eq!((ended.code(), ended.output.as_slice()), (Some(0), b"ran\n".as_slice()), "{}", ended.errors);
        assert!(ended.errors.lines().all(|line| line.contains("asked again")), "{}", ended.errors);
    }
    let ticks = place.ticks("mail", RATES);
    assert_eq!(ticks.len(), SHELLS);
    assert!(ticks.is_sorted(), "{ticks:?}");
    // Whichever six come one after the other do not lie in one closed window.
    assert!(ticks.windows(6).all(|six| six[5] - six[0] > 500_000), "{ticks:?}");
}

fn shell(place: &Place) -> Command {
    let script = r#"scupper run --rate 5/500ms --rate 20/h --key mail -- sh -c "echo ran"; exit $?"#;
    let mut shell = Command::new("sh");
    alone(shell.args(["-c", script]));
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_scupper")).parent().unwrap();
    shell.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    place.lead(&mut shell);
    shell
}

#[test]
fn twenty_shells_at_once_keep_to_the_rate_in_redis() {
    keep_to_the_rate(Place::redis);
}

#[test]
fn twenty_shells_at_once_keep_to_the_rate_in_shared_memory() {
    keep_to_the_rate(|| Place::shared_memory("shells-shm"));
}

#[test]
fn twenty_shells_at_once_keep_to_the_rate_with_no_store_given() {
    keep_to_the_rate(|| Place::of_state("shells-state"));
}

#[test]
fn twenty_shells_at_once_of_a_new_user_keep_to_the_rate() {
    keep_to_the_rate(|| Place::of_home("shells-home"));
}

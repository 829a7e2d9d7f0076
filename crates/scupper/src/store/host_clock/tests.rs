//! Time over restarts and reboots, by the clocks of a host that a test sets.

use crate::store::host_clock::{Anchor, Boot, Host, SEEN_EVERY, TestHost, ThisHost};

const WALL: u64 = 1_800_000_000_000_000;
const HOUR: u64 = 3_600_000_000;

fn anchored(host: &TestHost) -> Anchor {
    Anchor::from_numbers(Anchor::first(host).unwrap().to_numbers())
}

#[test]
fn promise_6_time_begins_as_the_wall_clocks_and_goes_on_by_the_hosts() {
    let host = TestHost::new(5, WALL);
    let anchor = anchored(&host);
    assert_eq!(anchor.now(&host).as_micros(), WALL);
    host.pass(7);
    assert_eq!(anchor.now(&host).as_micros(), WALL + 7);
    assert!(anchor.is_current(&host).unwrap());
}

#[test]
fn promise_6_the_wall_clock_may_be_set_and_time_goes_on() {
    for wall in [0, WALL - HOUR, WALL + HOUR] {
        let host = TestHost::new(5, WALL);
        let anchor = anchored(&host);
        host.set(0, 12, wall);
        assert_eq!(anchor.now(&host).as_micros(), WALL + 7, "the wall clock was set to {wall}");
    }
}

#[test]
fn promise_6_over_a_reboot_time_goes_on_by_the_wall_clock_and_never_back() {
    // Since the boot, three seconds have passed in any case.
    let three = 3_000_000;
    for (wall, passed) in [(WALL + 9 * HOUR, 9 * HOUR), (WALL, three), (WALL - HOUR, three), (0, three)] {
        let host = TestHost::new(100 * HOUR, WALL);
        let anchor = anchored(&host);
        host.reboot(three, wall);
        assert!(!anchor.is_current(&host).unwrap());
        let anchor = anchor.after_reboot(&host).unwrap();
        assert!(anchor.is_current(&host).unwrap());
        assert_eq!(anchor.now(&host).as_micros(), WALL + passed, "the wall clock reads {wall}");
        host.pass(7);
        assert_eq!(anchor.now(&host).as_micros(), WALL + passed + 7);
    }
}

#[test]
fn promise_6_what_was_seen_last_bridges_a_reboot() {
    let host = TestHost::new(HOUR, WALL);
    let mut anchor = anchored(&host);
    host.pass(SEEN_EVERY - 1);
    assert_eq!(anchor.renewed(anchor.now(&host), &host), None, "once a second is enough");
    // The wall clock is corrected by a day; a reboot later, the day has not passed.
    host.pass(1);
    host.set(0, host.since_boot(), host.wall() + 24 * HOUR);
    anchor = anchor.renewed(anchor.now(&host), &host).unwrap();
    host.reboot(5, host.wall() + HOUR);
    let anchor = anchor.after_reboot(&host).unwrap();
    assert_eq!(anchor.now(&host).as_micros(), WALL + SEEN_EVERY + HOUR);
}

#[test]
fn promise_6_a_host_that_wakes_up_in_another_century_frees_nothing() {
    let host = TestHost::new(HOUR, WALL);
    let mut anchor = anchored(&host);
    // Booted an hour later without a battery: the wall clock reads 1970, and is right again some seconds after.
    host.reboot(0, 0);
    anchor = anchor.after_reboot(&host).unwrap();
    host.pass(SEEN_EVERY);
    anchor = anchor.renewed(anchor.now(&host), &host).unwrap();
    assert_eq!(anchor.now(&host).as_micros(), WALL + SEEN_EVERY);
    host.reboot(0, WALL + HOUR);
    anchor = anchor.after_reboot(&host).unwrap();
    assert_eq!(anchor.now(&host).as_micros(), WALL + SEEN_EVERY + HOUR);
}

#[test]
fn a_boot_is_read_from_its_text() {
    assert_eq!(Boot::of("00000000-0000-0000-0000-0000000000ff\n"), Some(Boot(255)));
    for text in ["", "ff", "0000000g-0000-0000-0000-0000000000ff"] {
        assert_eq!(Boot::of(text), None, "{text:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn this_host_has_a_boot_and_clocks_that_go_on() {
    let (host, boot) = (ThisHost, ThisHost.boot().unwrap());
    assert_eq!(host.boot().unwrap(), boot);
    let before = host.since_boot();
    assert!(before > 0 && host.since_boot() >= before && host.wall() > WALL / 2);
}

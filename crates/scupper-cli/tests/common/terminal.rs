//! A pseudo-terminal.

use std::fs::File;
use std::io::Read;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Both ends of a terminal of 80 columns: what a user would see can be read from the first.
pub(crate) fn terminal() -> (File, File) {
    let seen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&seen).unwrap();
    unlockpt(&seen).unwrap();
    tcsetwinsize(&seen, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let path = ptsname(&seen, Vec::new()).unwrap();
    let drawn = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    (File::from(seen), drawn)
}

/// Reads on until the text ends like that, or to the end.
pub(crate) fn read_until(seen: &mut File, text: &mut String, done: impl Fn(&str) -> bool) {
    let mut bytes = [0; 1024];
    while !done(text) {
        // The end of a pseudo-terminal is an error.
        let Ok(count @ 1..) = seen.read(&mut bytes) else { return };
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

//! What is there is opened only if it is such a file, whole and this user's to change; else the error says what is wrong, and
//! what is there stays as it was.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod support;

use std::error::Error;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use scupper_shm::{OpenErrorKind, Shared};
use support::{Folder, MILLISECOND, Random, as_a_user, create, get, lock, open, refusal, set};

const HEADER: usize = 4096;
/// The part of the header that says what the file is.
const TELLING: usize = 40;

/// The refusal of a file with these bytes, after which it still has them.
fn refusal_of(path: &Path, bytes: &[u8]) -> OpenErrorKind {
    write(path, bytes);
    let kind = refusal(path);
    assert!(fs::read(path).unwrap() == bytes, "it was changed");
    kind
}

/// A new file each time: to have the disk catch up with an old one takes long.
fn write(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

/// The bytes of a whole file of that many words.
fn whole(folder: &Folder, words: usize) -> Vec<u8> {
    let path = folder.join("whole");
    let _ = fs::remove_file(&path);
    create(&path, words);
    fs::read(&path).unwrap()
}

#[test]
fn what_one_writes_another_reads() {
    let folder = Folder::new();
    let path = folder.join("file");
    let maker =
        Shared::create(&path, 1_000, 0o600, |words| words[999].store(7, std::sync::atomic::Ordering::Relaxed)).unwrap();
    let other = open(&path);
    assert_eq!((other.words().len(), get(&other, 998), get(&other, 999)), (1_000, 0, 7));
    set(&maker, 0, u64::MAX);
    assert_eq!(get(&other, 0), u64::MAX);
    assert_eq!(maker.identity(), other.identity());
}

#[test]
fn a_file_that_is_not_there_is_none_and_no_error() {
    let folder = Folder::new();
    assert!(Shared::open(&folder.join("file")).unwrap().is_none());
}

#[test]
fn a_missing_folder_is_an_error_of_its_own() {
    let folder = Folder::new();
    let path = folder.join("missing/file");
    assert_eq!(refusal(&path), OpenErrorKind::NoFolder);
    assert_eq!(Shared::create(&path, 1, 0o600, |_| ()).unwrap_err().kind(), OpenErrorKind::NoFolder);
    fs::write(folder.join("missing"), "a file").unwrap();
    assert_eq!(refusal(&path), OpenErrorKind::NoFolder);
    assert_eq!(Shared::create(&path, 1, 0o600, |_| ()).unwrap_err().kind(), OpenErrorKind::NoFolder);
}

#[test]
fn what_is_no_file_is_refused_without_blocking() {
    let folder = Folder::new();
    assert_eq!(refusal(folder.path()), OpenErrorKind::Folder);
    assert_eq!(refusal(Path::new("/")), OpenErrorKind::Folder);
    assert_eq!(refusal(Path::new("/dev/null")), OpenErrorKind::NotAFile);
    let (pipe, socket) = (folder.join("pipe"), folder.join("socket"));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(refusal(&pipe), OpenErrorKind::NotAFile);
    let _listener = UnixListener::bind(&socket).unwrap();
    assert_eq!(refusal(&socket), OpenErrorKind::NotAFile);
}

#[test]
fn a_symbolic_link_is_followed_and_one_to_nothing_says_so() {
    let folder = Folder::new();
    let (path, link) = (folder.join("file"), folder.join("link"));
    symlink(&path, &link).unwrap();
    assert_eq!(refusal(&link), OpenErrorKind::DanglingLink);
    assert_eq!(Shared::create(&link, 1, 0o600, |_| ()).unwrap_err().kind(), OpenErrorKind::AlreadyExists);
    let file = create(&path, 1);
    assert_eq!(open(&link).identity(), file.identity());
    let circle = folder.join("circle");
    symlink(&circle, &circle).unwrap();
    assert_eq!(refusal(&circle), OpenErrorKind::DanglingLink);
}

#[test]
fn who_may_not_use_the_file_is_told_so() {
    let folder = Folder::new();
    let path = folder.join("file");
    create(&path, 1);
    let refusal_to_a_user = || as_a_user(|| refusal(&path));
    for (mode, kind) in
        [(0o000, OpenErrorKind::NoPermission), (0o444, OpenErrorKind::ReadOnly), (0o222, OpenErrorKind::NoPermission)]
    {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(refusal_to_a_user(), kind, "{mode:o}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    as_a_user(|| drop(lock(&open(&path))));
    fs::set_permissions(folder.path(), Permissions::from_mode(0o000)).unwrap();
    assert_eq!(refusal_to_a_user(), OpenErrorKind::NoPermission);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let made = as_a_user(|| Shared::create(&folder.join("another"), 1, 0o600, |_| ()));
    assert_eq!(made.unwrap_err().kind(), OpenErrorKind::NoPermission);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_file_of_another_program_is_left_alone() {
    let folder = Folder::new();
    let path = folder.join("file");
    for foreign in [&b"x"[..], b"SQLite format 3\0", &[0; 40], &[0; HEADER], &[0; 3 * HEADER]] {
        assert_eq!(refusal_of(&path, foreign), OpenErrorKind::Foreign);
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let folder = Folder::new();
    let (path, whole) = (folder.join("file"), whole(&folder, 1_000));
    for length in 0..=HEADER {
        let kind = refusal_of(&path, &whole[..length]);
        let right = match length {
            0 => OpenErrorKind::Empty,
            HEADER => OpenErrorKind::Length,
            _ => OpenErrorKind::TooShort,
        };
        assert_eq!(kind, right, "{length} bytes");
    }
    for length in [whole.len() - 1, whole.len() - 4096] {
        assert_eq!(refusal_of(&path, &whole[..length]), OpenErrorKind::Length);
    }
    for more in [1, 4096] {
        assert_eq!(refusal_of(&path, &[&whole[..], &vec![0; more]].concat()), OpenErrorKind::Length);
    }
}

#[test]
fn a_file_of_another_version_is_refused_whatever_else_it_is() {
    let folder = Folder::new();
    let (path, mut bytes) = (folder.join("file"), whole(&folder, 10));
    bytes[8..16].copy_from_slice(&2_u64.to_ne_bytes());
    assert_eq!(refusal_of(&path, &bytes), OpenErrorKind::Version);
    bytes[16..TELLING].fill(0xff);
    assert_eq!(refusal_of(&path, &bytes), OpenErrorKind::Version);
    assert_eq!(refusal_of(&path, &bytes[..32]), OpenErrorKind::Version);
}

#[test]
fn any_bit_of_the_header_that_flips_is_seen() {
    let folder = Folder::new();
    let (path, whole) = (folder.join("file"), whole(&folder, 1_000));
    for bit in 0..TELLING * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let right = match bit / 64 {
            0 => OpenErrorKind::Foreign,
            1 => OpenErrorKind::Version,
            _ => OpenErrorKind::Damaged,
        };
        assert_eq!(refusal_of(&path, &bytes), right, "bit {bit}");
    }
}

#[test]
fn a_header_that_speaks_of_sizes_beyond_all_bounds_is_refused() {
    let folder = Folder::new();
    let (path, whole) = (folder.join("file"), whole(&folder, 1_000));
    for words in [0, 999, 1_001, 1 << 37, 1 << 61, u64::MAX, u64::MAX / 8] {
        let mut bytes = whole.clone();
        bytes[24..32].copy_from_slice(&words.to_ne_bytes());
        assert_eq!(refusal_of(&path, &bytes), OpenErrorKind::Damaged, "{words} words");
    }
}

#[test]
fn garbage_of_any_kind_is_an_error_or_garbage_numbers() {
    let folder = Folder::new();
    let (path, whole) = (folder.join("file"), whole(&folder, 1_000));
    let mut random = Random::new(1);
    let mut opened = 0;
    for _ in 0..2_000 {
        let mut bytes = whole.clone();
        // Mostly behind what is checked, so that much is opened; then the lock and the words are garbage.
        let first = [0, TELLING, 100, 128, HEADER][usize::try_from(random.below(5)).unwrap()];
        let count = 1 + random.below(200);
        for _ in 0..count {
            let at = first + usize::try_from(random.below((bytes.len() - first) as u64)).unwrap();
            bytes[at] = random.next().to_le_bytes()[0];
        }
        if random.below(4) == 0 {
            bytes[128..132].copy_from_slice(&random.next().to_le_bytes()[..4]);
        }
        if random.below(4) == 0 {
            bytes.truncate(usize::try_from(random.below(bytes.len() as u64)).unwrap());
        }
        write(&path, &bytes);
        if let Ok(Some(shared)) = Shared::open(&path) {
            opened += 1;
            let _ = shared.lock(MILLISECOND);
            assert!(
                shared.words().iter().map(|word| word.load(std::sync::atomic::Ordering::Relaxed) & 1).sum::<u64>()
                    <= 1_000
            );
        }
    }
    assert!((100..1_900).contains(&opened), "{opened} of them were opened");
}

#[test]
fn an_error_tells_what_the_system_said() {
    let folder = Folder::new();
    let error = Shared::open(&folder.join("missing/file")).unwrap_err();
    assert!(error.source().is_some_and(|source| source.to_string().contains("No such file")), "{error:?}");
    assert_eq!(error.path(), folder.join("missing/file"));
}

#[test]
fn a_file_that_was_renamed_or_removed_goes_on_for_those_who_have_it_and_they_see_it() {
    let folder = Folder::new();
    let (path, elsewhere) = (folder.join("file"), folder.join("elsewhere"));
    let first = create(&path, 1);
    fs::rename(&path, &elsewhere).unwrap();
    drop(lock(&first));
    assert!(!first.is_gone(), "there is no other");
    let other = create(&path, 1);
    assert!(first.is_gone() && !other.is_gone());
    assert_ne!(first.identity(), other.identity());
    let same = open(&elsewhere);
    assert!(!same.is_gone());
    fs::remove_file(&elsewhere).unwrap();
    assert!(same.is_gone());
    drop(lock(&same));
    let guard = lock(&first);
    assert!(same.lock(MILLISECOND).is_err(), "it is still one lock");
    drop(lock(&other));
    drop(guard);
}

#[test]
fn opening_alone_changes_nothing() {
    let folder = Folder::new();
    let path = folder.join("file");
    create(&path, 100);
    let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    drop(open(&path));
    assert_eq!((fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()), before);
    assert_eq!(File::open(&path).unwrap().read_at(&mut [0; 1], 4096).unwrap(), 1);
}

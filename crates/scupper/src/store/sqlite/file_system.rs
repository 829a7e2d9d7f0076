//! Which file systems hold what processes of one host share, and are of no other host.

use std::path::Path;

use rustix::fs::statfs;

use crate::error::{Error, ErrorKind, Result};

/// Refuses a folder on a file system that other hosts have as well: neither do they see each other's locks in time, nor what is
/// written to memory that `SQLite` maps.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] if the system says that it is one of those. What it does not tell is allowed.
pub(super) fn check(folder: &Path) -> Result<()> {
    match statfs(folder).ok().and_then(|told| network_of(type_of(&told))) {
        Some(name) => Err(refusal(folder, name)),
        None => Ok(()),
    }
}

#[cold]
fn refusal(folder: &Path, name: &str) -> Error {
    let what = format!(
        "{} lies on a file system of the network ({name}), where one limit cannot be kept; name a file on a local disk, or take \
         a store for many hosts, such as redis://host",
        folder.display()
    );
    Error::new(ErrorKind::InvalidConfig, what)
}

/// The number of its type, which is as wide as the system has it.
fn type_of(told: &rustix::fs::StatFs) -> u32 {
    let mut number = [0; 4];
    let bytes = told.f_type.to_ne_bytes();
    let low = if cfg!(target_endian = "big") { &bytes[bytes.len() - 4..] } else { &bytes[..4] };
    number.copy_from_slice(low);
    u32::from_ne_bytes(number)
}

/// The name of the file system whose type has this number, if other hosts have it as well.
///
/// FUSE is what a program makes of it, and tells nobody what that is: sshfs as much as an encrypted folder.
const fn network_of(number: u32) -> Option<&'static str> {
    Some(match number {
        0x0000_6969 => "NFS",
        0x0000_517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x0000_564c => "NCP",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0xaad7_aaea => "PanFS",
        0x7461_636f => "OCFS2",
        0x0116_1970 => "GFS2",
        0x786f_4256 => "vboxsf",
        0xbacb_acbc => "vmhgfs",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_the_network_are_told_from_others_by_the_number_of_their_type() {
        for (number, name) in [
            (0x6969, "NFS"),
            (0x517b, "SMB"),
            (0xff53_4d42, "CIFS"),
            (0xfe53_4d42, "SMB2"),
            (0x0102_1997, "9p"),
            (0x00c3_6400, "Ceph"),
        ] {
            assert_eq!(network_of(number), Some(name));
        }
        let (ext, xfs, btrfs, zfs, f2fs) = (0xef53, 0x5846_5342, 0x9123_683e, 0x2fc1_2fc1, 0xf2f5_2010);
        let (tmpfs, ramfs, overlay, fuse) = (0x0102_1994, 0x8584_58f6, 0x794c_7630, 0x6573_5546);
        for number in [ext, xfs, btrfs, zfs, f2fs, tmpfs, ramfs, overlay, fuse, 0, u32::MAX] {
            assert_eq!(network_of(number), None, "{number:x}");
        }
    }

    #[test]
    fn what_the_system_tells_is_a_number_of_that_kind() {
        // There on every Linux.
        assert_eq!(type_of(&statfs("/proc").unwrap()), 0x9fa0);
    }

    #[test]
    fn a_refusal_says_where_and_why_and_what_would_be_right() {
        let error = refusal(Path::new("/home/me"), "NFS");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        for words in ["/home/me", "NFS", "local disk", "redis://"] {
            assert!(error.message().contains(words), "{error}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_matter_of_file_systems() {
        assert!(check(Path::new("/nowhere")).is_ok());
    }
}

//! All files that this process has open.

use std::path::Path;
use std::time::{Duration, Instant};

use scupper_shm::fork::{self, Hooks};

use crate::error::{Error, ErrorKind, Result};
use crate::fork::{self as forks, Section};
use crate::store::host_clock::Host;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::file::File;
use crate::store::sqlite::place::{FileId, real_path};
use crate::store::sqlite::queue::{Queue, Taken};
use crate::sync::{Arc, Mutex, StaticMutex, Weak, lock, lock_static, thread};

/// What stores on one file share. With the last of it, the file is closed.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<File>);

#[derive(Debug)]
struct Known {
    /// Not by way of the file, which nobody reaches any more while it is dropped, and which is open until its end.
    queue: Arc<Mutex<Queue>>,
    shared: Weak<Shared>,
    id: Option<FileId>,
}

/// They are closed around every fork.
#[derive(Debug)]
struct Files(StaticMutex<Vec<Known>>);

static FILES: Files = Files(StaticMutex::new(Vec::new()));

impl Shared {
    /// Opens a file, or shares it with those who have it open already, by whatever path.
    pub(super) fn open(path: &Path, host: Arc<dyn Host>, timeout: Duration) -> Result<Arc<Self>> {
        fork::register(&FILES).map_err(|error| {
            let what = format!("the system has no memory to note what to do when this process forks: {error}");
            Error::new(ErrorKind::Unavailable, what).with_source(error)
        })?;
        let path = real_path(path)?;
        let shared = {
            let _section = Section::enter();
            let mut files = lock_static(&FILES.0);
            files.retain(|known| Arc::strong_count(&known.queue) > 1);
            let id = FileId::at(&path);
            let is_same = |known: &Known, file: &File| file.path == path || (id.is_some() && known.id == id);
            let mut open = files.iter().filter_map(|known| known.shared.upgrade().map(|shared| (known, shared)));
            if let Some((_, shared)) = open.find(|(known, shared)| is_same(known, &shared.0)) {
                shared
            } else {
                drop(open);
                let shared = Arc::new(Self(File::new(path, host)));
                let queue = Arc::clone(&shared.0.queue);
                files.push(Known { queue, shared: Arc::downgrade(&shared), id: None });
                shared
            }
        };
        let id = opened_within(&shared.0, timeout)?;
        let _section = Section::enter();
        let mut files = lock_static(&FILES.0);
        let known = files.iter_mut().find(|known| known.shared.as_ptr() == Arc::as_ptr(&shared));
        if let Some(known) = known {
            known.id = id.or(known.id);
        }
        Ok(shared)
    }
}

/// Opens the file; waits for other processes that are at it.
fn opened_within(file: &Arc<File>, timeout: Duration) -> Result<Option<FileId>> {
    const PAUSE: Duration = Duration::from_millis(1);
    let start = Instant::now();
    loop {
        match file.open() {
            Ok(id) => return Ok(id),
            Err(Failure::Busy) if start.elapsed() < timeout => thread::sleep(PAUSE),
            Err(Failure::Busy) => return Err(kept(&file.path, start.elapsed())),
            Err(failure) => return Err(failure.error(false)),
        }
    }
}

#[cold]
fn kept(path: &Path, waited: Duration) -> Error {
    let (path, waited) = (path.display(), waited.as_millis());
    let what = format!(
        "another process has had {path} for {waited} ms; try again later, set a longer timeout, or end that process if it \
         hangs"
    );
    Error::new(ErrorKind::Unavailable, what)
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _section = Section::enter();
        let mut queue = lock(&self.0.queue);
        queue.is_closing = true;
        // It sees what waits to its end, and goes.
        if let Some(bell) = &queue.bell {
            bell.ring();
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _section = Section::enter();
        drop(lock(&self.queue).take());
    }
}

impl Hooks for Files {
    fn before(&self) {
        forks::close();
        self.close_each();
    }

    fn after_in_parent(&self) {
        forks::open();
    }

    fn after_in_child(&self) {
        self.each(Queue::begin_anew);
        forks::open();
    }
}

impl Files {
    /// Closes what is open, within the gate.
    fn close_each(&self) {
        self.each(|queue| {
            if let Some(Taken(Some(opened))) = queue.take() {
                opened.close_for_a_fork();
            }
            queue.give_back(None);
        });
    }

    /// Has this done to each open file, within the gate.
    fn each(&self, act: impl Fn(&mut Queue)) {
        for known in lock_static(&self.0).iter() {
            act(&mut lock(&known.queue));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::host_clock::ThisHost;

    fn comes_about(is_so: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        while !is_so() && start.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_micros(100));
        }
        is_so()
    }

    /// Whoever drops a file last waits at the gate with a file that nobody can reach any more, and that is open still.
    #[test]
    fn a_file_that_is_about_to_be_dropped_is_closed_for_a_fork() {
        let path = std::env::temp_dir().join(format!("scupper-half-dropped-{}.db", std::process::id()));
        let shared = Shared::open(&path, Arc::new(ThisHost), Duration::from_secs(5)).unwrap();
        let is_open = || {
            let mut files = fs::read_dir("/proc/self/fd").unwrap().map(|entry| fs::read_link(entry.unwrap().path()));
            files.any(|file| file.is_ok_and(|file| file == path))
        };
        let file = Arc::clone(&shared.0);
        drop(shared);
        assert!(comes_about(|| Arc::strong_count(&file) == 1) && is_open());
        let left = Arc::downgrade(&file);
        forks::close();
        let dropping = thread::spawn(move || drop(file));
        // Nothing is asserted while the gate is closed: others would wait there for ever.
        let was_dropped = comes_about(|| left.strong_count() == 0);
        FILES.close_each();
        let stayed_open = is_open();
        forks::open();
        dropping.join().unwrap();
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", path.display()));
        }
        assert!(was_dropped && !stayed_open);
    }
}

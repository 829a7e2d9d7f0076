//! All files that this process has open.

use std::path::Path;
use std::time::{Duration, Instant};

use scupper_shm::fork::{self, Hooks};

use crate::error::{Error, ErrorKind, Result};
use crate::store::host_clock::Host;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::file::File;
use crate::store::sqlite::gate::{self, Section};
use crate::store::sqlite::place::{FileId, real_path};
use crate::store::sqlite::queue::{Queue, Taken};
use crate::sync::{Arc, StaticMutex, Weak, lock, lock_static, thread};

/// What stores on one file share. With the last of it, the file is closed.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<File>);

#[derive(Debug)]
struct Known {
    file: Weak<File>,
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
            files.retain(|known| known.file.strong_count() > 0);
            let id = FileId::at(&path);
            let is_same = |known: &Known, file: &File| file.path == path || (id.is_some() && known.id == id);
            let mut open = files.iter().filter_map(|known| known.shared.upgrade().map(|shared| (known, shared)));
            if let Some((_, shared)) = open.find(|(known, shared)| is_same(known, &shared.0)) {
                shared
            } else {
                drop(open);
                let shared = Arc::new(Self(File::new(path, host)));
                files.push(Known { file: Arc::downgrade(&shared.0), shared: Arc::downgrade(&shared), id: None });
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
            Err(failure) => return Err(failure.error(false)),
        }
    }
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
        gate::close();
        self.each(|queue| {
            if let Some(Taken(Some(opened))) = queue.take() {
                opened.close_for_a_fork();
            }
            queue.give_back(None);
        });
    }

    fn after_in_parent(&self) {
        gate::open();
    }

    fn after_in_child(&self) {
        self.each(Queue::begin_anew);
        gate::open();
    }
}

impl Files {
    /// Has this done to each open file, within the gate.
    fn each(&self, act: impl Fn(&mut Queue)) {
        for known in lock_static(&self.0).iter() {
            if let Some(file) = known.file.upgrade() {
                act(&mut lock(&file.queue));
            }
        }
    }
}

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::store::answers::Answers;
use crate::store::batch::{Action, Batch, Operation};
use crate::store::outcome::{Cursor, Outcome};
use crate::store::redis::job::{Asked, Job};

/// A batch, taken apart into a job for each bucket: nothing but operations on one bucket depends on their order.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// With the place of its answer among those awaited.
    pub(super) jobs: Vec<(Job, usize)>,
    pub(super) lists: Vec<List>,
    pub(super) answers: Answers,
}

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct List {
    pub(super) prefix: String,
    pub(super) after: Option<Cursor>,
    pub(super) most: usize,
    pub(super) answer: oneshot::Sender<Vec<Outcome>>,
}

impl Intake {
    /// The jobs of a batch, for buckets whose keys begin with this.
    pub(super) fn of(batch: Batch<'_>, prefix: &str) -> Self {
        let mut intake = Self::default();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (place, operation) in batch.operations().iter().enumerate() {
            if let Action::List { after, most } = operation.action {
                let answer = intake.answers.awaited(place).0;
                let list = List { prefix: operation.key.to_owned(), after: after.cloned(), most: most.max(1), answer };
                intake.lists.push(list);
                continue;
            }
            match Asked::of(operation) {
                Ok(asked) => intake.take(place, operation, asked, &mut places, prefix),
                Err(error) => intake.answers.know(place, Err(error)),
            }
        }
        intake
    }

    fn take<'a>(
        &mut self,
        place: usize,
        operation: &Operation<'a>,
        asked: Asked,
        jobs: &mut HashMap<&'a str, usize>,
        prefix: &str,
    ) {
        if let Some(&job) = jobs.get(operation.key) {
            let (job, awaited) = &mut self.jobs[job];
            if !job.asked.last_mut().is_some_and(|last| last.absorb(&asked)) {
                job.asked.push(asked);
            }
            self.answers.also(*awaited, place);
            return;
        }
        jobs.insert(operation.key, self.jobs.len());
        let (answer, awaited) = self.answers.awaited(place);
        let key = [prefix, operation.key].concat();
        self.jobs.push((Job { key, asked: vec![asked], answer, asking: false, alone: false, redirected: 0 }, awaited));
    }
}

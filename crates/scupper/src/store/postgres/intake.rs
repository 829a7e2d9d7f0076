use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::store::answers::Answers;
use crate::store::asked::Asked;
use crate::store::batch::{Action, Batch};
use crate::store::bucket::check;
use crate::store::outcome::{Cursor, Outcome};
use crate::store::postgres::job::Job;

/// A batch, taken apart into a job for each bucket: nothing but operations on one bucket depends on their order.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) jobs: Vec<Job>,
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
    pub(super) fn of(batch: Batch<'_>) -> Self {
        let mut intake = Self::default();
        // Of each job, its place and the number of its answer.
        let mut places: HashMap<&str, (usize, usize)> = HashMap::new();
        for (place, operation) in batch.operations().iter().enumerate() {
            if let Action::List { after, most } = operation.action {
                let (answer, _) = intake.answers.awaited(place);
                let list = List { prefix: operation.key.to_owned(), after: after.cloned(), most: most.max(1), answer };
                intake.lists.push(list);
                continue;
            }
            if let Err(error) = check(operation) {
                intake.answers.know(place, Err(error));
                continue;
            }
            let asked = Asked::of(operation);
            if let Some(&(job, part)) = places.get(operation.key)
                && let Some(job) = intake.jobs.get_mut(job)
            {
                job.asked.push(asked);
                intake.answers.also(part, place);
                continue;
            }
            let (answer, part) = intake.answers.awaited(place);
            places.insert(operation.key, (intake.jobs.len(), part));
            intake.jobs.push(Job::new(asked, answer));
        }
        intake
    }
}

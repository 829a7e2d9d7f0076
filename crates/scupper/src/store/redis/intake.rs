use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::store::batch::{Action, Batch, Operation};
use crate::store::outcome::{Cursor, Outcome};
use crate::store::redis::job::{Asked, Job};
use crate::store::submission::Outcomes;

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

/// Where the outcomes of a batch come from.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Those that are known already.
    outcomes: Vec<Option<Outcome>>,
    /// For each job, the places of its operations in the batch.
    awaited: Vec<(oneshot::Receiver<Vec<Outcome>>, Vec<usize>)>,
}

impl Intake {
    /// The jobs of a batch, for buckets whose keys begin with this.
    pub(super) fn of(batch: Batch<'_>, prefix: &str) -> Self {
        let mut intake = Self::default();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for (place, operation) in batch.operations().iter().enumerate() {
            intake.answers.outcomes.push(None);
            if let Action::List { after, most } = operation.action {
                let answer = intake.answers.from(vec![place]);
                let list = List { prefix: operation.key.to_owned(), after: after.cloned(), most: most.max(1), answer };
                intake.lists.push(list);
                continue;
            }
            match Asked::of(operation) {
                Ok(asked) => intake.take(place, operation, asked, &mut places, prefix),
                Err(error) => intake.answers.outcomes[place] = Some(Err(error)),
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
            self.answers.awaited[*awaited].1.push(place);
            return;
        }
        jobs.insert(operation.key, self.jobs.len());
        let awaited = self.answers.awaited.len();
        let answer = self.answers.from(vec![place]);
        let key = [prefix, operation.key].concat();
        self.jobs.push((Job { key, asked: vec![asked], answer, asking: false, alone: false, redirected: 0 }, awaited));
    }
}

impl Answers {
    fn from(&mut self, places: Vec<usize>) -> oneshot::Sender<Vec<Outcome>> {
        let (answer, awaited) = oneshot::channel();
        self.awaited.push((awaited, places));
        answer
    }

    /// All of them, in the order of the batch.
    pub(super) async fn gather(mut self) -> Outcomes {
        for (awaited, places) in self.awaited {
            // The thread that talks to the server is gone, with what was in its hands.
            let lost = || Error::new(ErrorKind::Unknown, "the store was closed during the call");
            let mut outcomes = awaited.await.unwrap_or_default().into_iter();
            for place in places {
                self.outcomes[place] = Some(outcomes.next().unwrap_or_else(|| Err(lost())));
            }
        }
        let missing = || Err(Error::new(ErrorKind::Unknown, "an operation was not answered"));
        self.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect()
    }
}

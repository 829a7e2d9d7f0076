use crate::error::{Error, ErrorKind};
use crate::store::coalesce::Carrier;
use crate::store::redis::evaluated::{Elsewhere, Evaluated};
use crate::store::redis::job::{Job, fail};
use crate::store::redis::node::Node;
use crate::sync::Arc;

/// All buckets on one server: what gathers goes into one call of the script.
pub(super) struct Single(pub(super) Arc<Node>);

impl Carrier for Single {
    type Job = Job;
    type Answers = Evaluated;

    async fn carry(self: Arc<Self>, jobs: Vec<Job>) -> Evaluated {
        self.0.evaluate(vec![jobs]).await
    }

    fn deliver(self: Arc<Self>, answers: Evaluated) {
        for astray in answers.deliver() {
            let error = match astray.why {
                Elsewhere::Lost(error) => error,
                Elsewhere::Moved(_) | Elsewhere::Ask(_) | Elsewhere::TryAgain => Error::new(
                    ErrorKind::InvalidConfig,
                    "the server is part of a cluster; open the store with a URL that begins with redis+cluster://",
                ),
            };
            fail(astray.group, &error);
        }
    }
}

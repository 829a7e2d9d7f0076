use std::fmt::Write as _;

use crate::pace::Pace;
use crate::quota::{Algorithm, Quota};
use crate::store::batch::Standing;
use crate::store::redis::job::{Asked, Job, What};

/// The arguments of one call of the script: the keys, the quotas that are spoken of, and the jobs.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    quotas: Vec<Quota>,
    jobs: Vec<Vec<u8>>,
}

/// Permits carry a sequence of 64 bits; the script counts in two numbers, this much to the first.
pub(super) const HALF: u64 = 1 << 50;

impl Arguments {
    pub(super) fn of(jobs: &[Job]) -> Self {
        let mut arguments = Self::default();
        for job in jobs {
            let mut bytes = Vec::with_capacity(26 * job.asked.len());
            job.asked.iter().for_each(|asked| arguments.encode(asked, &mut bytes));
            arguments.jobs.push(bytes);
        }
        arguments
    }

    /// In the order in which the script reads them: how many quotas, each quota's text and numbers, the jobs.
    pub(super) fn each(&self, mut take: impl FnMut(&[u8])) {
        take(self.quotas.len().to_string().as_bytes());
        for quota in &self.quotas {
            take(written(quota).as_bytes());
            take(&numbers(quota));
        }
        self.jobs.iter().for_each(|job| take(job));
    }

    fn encode(&mut self, asked: &Asked, out: &mut Vec<u8>) {
        let (code, standing, number) = match asked.what {
            What::Acquire { weight, standing } => (1, standing_code(standing), weight),
            What::Peek => (2, 0, 0),
            What::Refund(admission) => (3, 0, admission.weight),
            What::Penalize { units } => (4, 0, units),
            What::Reset => (5, 0, 0),
            What::Hold { micros } => (6, 0, micros),
            What::Owes => (7, 0, 0),
        };
        out.extend([code, standing]);
        out.extend(self.number_of(asked.quota.as_ref()).to_be_bytes());
        out.extend(asked.count.to_be_bytes());
        out.extend(asked.at.map_or(-1.0, |at| double(at.as_micros())).to_be_bytes());
        out.extend(double(number).to_be_bytes());
        if let What::Refund(admission) = asked.what {
            let sequence = admission.sequence;
            for number in [admission.tick.as_micros(), sequence / HALF, sequence % HALF] {
                out.extend(double(number).to_be_bytes());
            }
        }
    }

    /// The place of a quota in the list, from 1; 0 for none.
    fn number_of(&mut self, quota: Option<&Quota>) -> u32 {
        let Some(quota) = quota else { return 0 };
        // Most often it is the one that was spoken of last, and there is but one.
        let known = self.quotas.iter().rposition(|known| known.is(quota) || known == quota);
        let place = known.unwrap_or_else(|| {
            self.quotas.push(quota.clone());
            self.quotas.len() - 1
        });
        // No batch that fits into memory has more.
        u32::try_from(place + 1).unwrap_or(u32::MAX)
    }
}

/// A quota as the script reads it and buckets keep it: `gcra 5/1000000us+10 100/60000000us`.
fn written(quota: &Quota) -> String {
    let mut text = quota.algorithm().to_string();
    for rate in quota.rates() {
        // Writing to a string cannot fail.
        let _ = write!(text, " {}/{}us", rate.limit(), rate.interval_micros());
        if quota.algorithm() == Algorithm::Gcra && rate.burst() != rate.limit() {
            let _ = write!(text, "+{}", rate.burst());
        }
    }
    text
}

/// What the script would have to work out: retention, capacity and how many rates there are; and for each its limit,
/// interval and burst, and how long that takes to drain, in microseconds and a rest in 1/limit.
fn numbers(quota: &Quota) -> Vec<u8> {
    let count = quota.rates().len() as u64;
    let of_rate = |pace: &Pace| {
        let rate = pace.rate;
        [rate.limit(), rate.interval_micros(), rate.burst(), pace.burst.whole, pace.burst.part]
    };
    let all = [quota.retention(), quota.capacity(), count].into_iter().chain(quota.paces().iter().flat_map(of_rate));
    all.flat_map(|number| double(number).to_be_bytes()).collect()
}

const fn standing_code(standing: Standing) -> u8 {
    match standing {
        Standing::Alone => 0,
        Standing::Passing => 1,
        Standing::Waiting => 2,
    }
}

#[expect(clippy::cast_precision_loss, reason = "all that is sent is below 2^53 or checked on the way in")]
const fn double(number: u64) -> f64 {
    number as f64
}

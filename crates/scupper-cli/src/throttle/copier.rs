use std::io::{self, BufRead, Write};

use scupper::{Bucket, Decision};

use crate::throttle::args::WeightBy;
use crate::throttle::pieces::{Piece, Pieces};
use crate::throttle::progress::Progress;
use crate::throttle::stage::{Phase, Stage};

/// Copies lines, each when the bucket admits it.
#[derive(Debug)]
pub(super) struct Copier<'a, W> {
    pub(super) bucket: &'a Bucket,
    pub(super) weight_by: WeightBy,
    pub(super) output: W,
    pub(super) stage: &'a Stage,
    pub(super) progress: &'a Progress,
}

/// Why copying stopped.
#[derive(Debug)]
pub(super) enum Stopped {
    Input(io::Error),
    Output(io::Error),
    Limiter(scupper::Error),
}

impl<W: Write> Copier<'_, W> {
    /// The longest piece of a line that is kept in memory.
    pub(super) const LONGEST: usize = 64 * 1024;

    /// Copies this input to its end, which also ends its last line.
    pub(super) fn copy(&mut self, input: impl BufRead) -> Result<(), Stopped> {
        let copied = self.copy_pieces(Pieces::new(input));
        self.stage.enter(Phase::Reading);
        copied
    }

    fn copy_pieces(&mut self, mut pieces: Pieces<impl BufRead>) -> Result<(), Stopped> {
        let longest = match self.weight_by {
            WeightBy::Lines => Self::LONGEST,
            WeightBy::Bytes => {
                usize::try_from(self.bucket.quota().capacity()).map_or(Self::LONGEST, |most| most.min(Self::LONGEST))
            }
        };
        while let Some(piece) = pieces.next(longest).map_err(Stopped::Input)? {
            match self.weight_by {
                WeightBy::Lines if piece.starts_line => self.admit(1)?,
                WeightBy::Lines => {}
                WeightBy::Bytes => self.admit(piece.bytes.len() as u64)?,
            }
            self.write(&piece)?;
        }
        Ok(())
    }

    /// Waits until this much may pass.
    fn admit(&self, weight: u64) -> Result<(), Stopped> {
        let request = || self.bucket.request().weight(weight);
        match request().try_acquire().map_err(Stopped::Limiter)? {
            Decision::Admitted(_) => return Ok(()),
            Decision::Denied(denied) => self.progress.wait(denied.retry_after()),
            // Not reached: no piece is longer than the capacity. Waiting would report it.
            Decision::NeverFits(_) => {}
        }
        self.stage.enter(Phase::Waiting);
        request().acquire().map_err(Stopped::Limiter)?;
        Ok(())
    }

    fn write(&mut self, piece: &Piece<'_>) -> Result<(), Stopped> {
        self.stage.enter(Phase::Writing);
        self.progress.make_way();
        self.output.write_all(piece.bytes).and_then(|()| self.output.flush()).map_err(Stopped::Output)?;
        self.progress.passed(piece);
        if piece.ends_line {
            self.stage.enter(Phase::Reading);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use scupper::{Algorithm, Limiter, ManualTimer, Rates, Timer};

    use super::*;

    /// Notes when it was written to, by the manual clock, and what.
    struct Clocked(ManualTimer, Vec<(u64, String)>);

    impl Write for Clocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.push((self.0.now().as_micros(), String::from_utf8(bytes.to_vec()).unwrap()));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn copied(rates: &str, algorithm: Algorithm, weight_by: WeightBy, input: &str) -> Vec<(u64, String)> {
        let timer = ManualTimer::auto_advancing();
        let rates: Rates = rates.parse().unwrap();
        let limiter = Limiter::builder().algorithm(algorithm).rates(Vec::from(rates)).timer(timer.clone());
        let bucket = limiter.build().unwrap().bucket("throttle").unwrap();
        let (stage, progress) = (Stage::default(), Progress::none());
        let output = Clocked(timer, Vec::new());
        let mut copier = Copier { bucket: &bucket, weight_by, output, stage: &stage, progress: &progress };
        copier.copy(BufReader::new(input.as_bytes())).unwrap();
        copier.output.1
    }

    fn times(written: &[(u64, String)]) -> Vec<u64> {
        written.iter().map(|(at, _)| *at).collect()
    }

    fn numbers(last: u32) -> String {
        (1..=last).flat_map(|number| [number.to_string(), "\n".into()]).collect()
    }

    #[test]
    fn twenty_lines_at_five_per_two_seconds_go_in_fives_a_tick_more_than_two_seconds_apart() {
        let written = copied("5/2s", Algorithm::SlidingWindowLog, WeightBy::Lines, &numbers(20));
        let expected: Vec<_> = (0..20).map(|line| (line / 5 * 2_000_001, format!("{}\n", line + 1))).collect();
        assert_eq!(written, expected);
    }

    #[test]
    fn a_fixed_window_passes_its_limit_at_every_full_interval() {
        let written = copied("5/2s", Algorithm::FixedWindow, WeightBy::Lines, &numbers(12));
        assert_eq!(times(&written), [[0; 5].as_slice(), &[2_000_000; 5], &[4_000_000; 2]].concat());
    }

    #[test]
    fn a_token_bucket_passes_its_burst_and_then_evenly() {
        let written = copied("5/s+3", Algorithm::TOKEN_BUCKET, WeightBy::Lines, &numbers(6));
        assert_eq!(times(&written), [0, 0, 0, 200_000, 400_000, 600_000]);
    }

    #[test]
    fn several_rates_hold_together() {
        let written = copied("2/s, 3/10s", Algorithm::SlidingWindowLog, WeightBy::Lines, &numbers(5));
        assert_eq!(times(&written), [0, 0, 1_000_001, 10_000_001, 10_000_001]);
    }

    #[test]
    fn empty_lines_and_a_last_line_without_newline_are_lines() {
        let written = copied("1/s", Algorithm::SlidingWindowLog, WeightBy::Lines, "\n\nlast");
        assert_eq!(written, [(0, "\n".into()), (1_000_001, "\n".into()), (2_000_002, "last".into())]);
    }

    #[test]
    fn a_huge_line_costs_one_unit_and_waits_once() {
        let longest = Copier::<Clocked>::LONGEST;
        let huge = "x".repeat(3 * longest);
        let written = copied("1/s", Algorithm::SlidingWindowLog, WeightBy::Lines, &format!("a\n{huge}\nb\n"));
        assert_eq!(times(&written), [0, 1_000_001, 1_000_001, 1_000_001, 1_000_001, 2_000_002]);
        assert!(written.iter().all(|(_, bytes)| bytes.len() <= longest));
        let all: String = written.into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(all, format!("a\n{huge}\nb\n"));
    }

    #[test]
    fn by_bytes_a_line_weighs_its_length_with_the_newline() {
        let written = copied("10/s", Algorithm::SlidingWindowLog, WeightBy::Bytes, "1234\n1234\n\n123456789\n");
        assert_eq!(times(&written), [0, 0, 1_000_001, 2_000_002]);
    }

    #[test]
    fn by_bytes_what_is_heavier_than_the_rates_allow_passes_in_pieces_that_fit() {
        let written = copied("4/s, 6/10s", Algorithm::SlidingWindowLog, WeightBy::Bytes, "0123456789\n");
        let expected = [(0, "0123"), (10_000_001, "4567"), (20_000_002, "89\n")];
        assert_eq!(written, expected.map(|(at, bytes)| (at, bytes.to_owned())));

        let written = copied("1/s", Algorithm::FixedWindow, WeightBy::Bytes, "ab\n");
        assert_eq!(times(&written), [0, 1_000_000, 2_000_000]);
    }

    #[test]
    fn by_bytes_the_burst_bounds_a_piece() {
        let written = copied("2/s+4", Algorithm::Gcra, WeightBy::Bytes, "0123456\n");
        assert_eq!(written, [(0, "0123".into()), (2_000_000, "456\n".into())]);
    }

    #[test]
    fn an_output_that_fails_stops_the_copy() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bucket = Limiter::builder().rates(["5/s".parse().unwrap()]).build().unwrap().bucket("throttle").unwrap();
        let (stage, progress) = (Stage::default(), Progress::none());
        let weight_by = WeightBy::Lines;
        let mut copier = Copier { bucket: &bucket, weight_by, output: Full, stage: &stage, progress: &progress };
        let stopped = copier.copy(b"a\n".as_slice()).unwrap_err();
        assert!(matches!(stopped, Stopped::Output(error) if error.kind() == io::ErrorKind::StorageFull));
    }
}

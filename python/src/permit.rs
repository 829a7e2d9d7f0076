//! What was taken, to be given back or settled.

use std::mem::forget;
use std::process;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use scupper::{Limiter, Reservation};

/// What a decision took. Good for one refund.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct Permit {
    /// Whom it is given back to.
    limiter: Limiter,
    permit: Mutex<Option<scupper::Permit<'static>>>,
}

impl Permit {
    pub(crate) fn new(limiter: &Limiter, permit: scupper::Permit<'_>) -> Self {
        Self { limiter: limiter.clone(), permit: Mutex::new(Some(permit.into_owned())) }
    }

    /// Nothing if it was given back.
    pub(crate) fn take(&self) -> Option<(Limiter, scupper::Permit<'static>)> {
        let permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((self.limiter.clone(), permit))
    }
}

/// Units that are held until it is known what they were for did cost. Dropped before, they are given back.
#[pyclass(frozen, module = "scupper._scupper")]
pub(crate) struct Held {
    #[pyo3(get)]
    weight: u64,
    /// The process that took them: a copy of it in a child is not the child's to give back.
    process: u32,
    reservation: Mutex<Option<Reservation<'static>>>,
}

impl Held {
    pub(crate) fn new(reservation: Reservation<'_>) -> Self {
        let weight = reservation.weight();
        Self { weight, process: process::id(), reservation: Mutex::new(Some(reservation.into_owned())) }
    }

    /// Nothing if it was settled.
    pub(crate) fn take(&self) -> Option<Reservation<'static>> {
        self.reservation.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if process::id() != self.process {
            self.take().map(forget);
        }
    }
}

//! On the host the environment variable `MUTANT` holds the active mutant's number. If `MUTANT_RECORD` names a file,
//! the numbers of the mutants that are reached are appended to it, one a line.

extern crate std;

use std::env;
use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::{NONE, RECORD, is_new};

/// A further value in place of a mutant's number: the environment was not read yet.
const UNKNOWN: u32 = u32::MAX - 1;

static ACTIVE: AtomicU32 = AtomicU32::new(UNKNOWN);
static RECORDS: OnceLock<File> = OnceLock::new();

#[inline]
pub(crate) fn is_active(id: u32) -> bool {
    match ACTIVE.load(Relaxed) {
        RECORD => record(id),
        UNKNOWN => {
            read_environment();
            return is_active(id);
        }
        active => return active == id,
    }
    false
}

#[cold]
#[inline(never)]
fn read_environment() {
    let active = if let Some(path) = env::var_os("MUTANT_RECORD") {
        RECORDS.get_or_init(|| File::options().append(true).create(true).open(path).unwrap());
        RECORD
    } else {
        env::var("MUTANT").map_or(NONE, |id| id.parse().unwrap())
    };
    ACTIVE.store(active, Relaxed);
}

#[cold]
#[inline(never)]
fn record(id: u32) {
    if is_new(id) {
        writeln!(RECORDS.get().unwrap(), "{id}").unwrap();
    }
}

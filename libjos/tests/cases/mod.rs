//! How many cases proptest tries, and which.

use proptest::test_runner::{Config, RngSeed};

/// So many cases, the same ones in each run; two at most where Miri makes each of them slow. Where the
/// environment says `PROPTEST_CASES`, that many, and others each time.
///
/// A failure that it finds becomes a test by hand, so proptest keeps no files.
pub(crate) fn config(cases: u32) -> Config {
    let config = Config { failure_persistence: None, max_shrink_iters: 512, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return config;
    }
    let cases = if cfg!(miri) { cases.min(2) } else { cases };
    Config { cases, rng_seed: RngSeed::Fixed(64), ..config }
}

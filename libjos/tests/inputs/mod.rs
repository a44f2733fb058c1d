//! A fuzzer's bytes, made into something to do: [`operations`] and [`lines`]. The fuzz targets call
//! these, and `corpus.rs` does, so that each input that is kept is a test on the stable toolchain.

pub(crate) mod lines;
pub(crate) mod operations;

//! Where things are, and files read with errors that name them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// This crate's folder.
pub(crate) fn own_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

// lab: begin omit
/// The project's folder.
pub(crate) fn project() -> PathBuf {
    own_folder().join("../..")
}
// lab: end

/// The text of a file.
pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file, and the folders that it needs.
pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>) -> Outcome<()> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder
        .and_then(|()| fs::write(path, contents))
        .map_err(|error| format!("{}: {error}", path.display()))
}

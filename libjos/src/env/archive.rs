//! [`Archive`]: a tar archive of programs, each to be found by its name.

use core::fmt;

use tar_no_std::{CorruptDataError, TarArchiveRef};

/// An archive whose headers are all right. Only plain files in it count, each by its own name, whatever folder it is in:
/// `tar` writes the folders that it is given (`./hello`, `build/hello`).
#[derive(Clone, Debug)]
pub struct Archive<'a> {
    tar: TarArchiveRef<'a>,
}

/// Why a file is no archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArchiveError(CorruptDataError);

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is no tar archive, or a damaged one: {}", self.0)
    }
}

impl core::error::Error for ArchiveError {}

impl<'a> Archive<'a> {
    /// Looks at the headers of a whole archive.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`], for the first fault.
    pub fn new(file: &'a [u8]) -> Result<Self, ArchiveError> {
        TarArchiveRef::new(file).map(|tar| Self { tar }).map_err(ArchiveError)
    }

    /// The first program with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        let mut files = self.tar.entries();
        files
            .find(|file| file.filename().as_str().map(last_part) == Ok(name))
            .map(|file| file.data())
    }

    /// Calls `each` with every program's name. Names that are no text are passed over, and the blocks of zeros that end
    /// an archive, which are a file without a name.
    pub fn for_each_name(&self, mut each: impl FnMut(&str)) {
        for file in self.tar.entries() {
            if let Ok(name) = file.filename().as_str().map(last_part)
                && !name.is_empty()
            {
                each(name);
            }
        }
    }
}

/// The name of a file, without the folders before it.
fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

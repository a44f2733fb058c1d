//! The names that an application needs, in one `use`.
//!
//! ```
//! use libjos::prelude::*;
//! use libjos::println; // With `std`, as in tests, name the one that is meant.
//! use libjos::sim::SimPlatform;
//!
//! fn hello() -> Result<(), VmError> {
//!     let name = Some(command_line()).filter(|line| !line.is_empty());
//!     println!("Hello, {}!", name.unwrap_or("world".into()));
//!
//!     // Four pages of the application's own, the third of them a guard page.
//!     let area = VmArea::allocate(4)?;
//!     area.unmap(2..3)?;
//!     area.store(8, 42);
//!     assert_eq!(area.load(8), 42);
//!     assert!(area.try_read(2 * PGSIZE).is_err());
//!     Ok(())
//! }
//!
//! // In the machine, `application!(hello);` takes the place of these lines.
//! let run = SimPlatform::new().command_line("Ada").run(hello);
//! assert_eq!(run.output, "Hello, Ada!\n");
//! assert!(run.code.is_success() && run.pages_kept == 0);
//! ```
//!
//! | to | use |
//! |---|---|
//! | begin | [`application!`], [`command_line`] |
//! | print and read | [`print!`], [`println!`], [`eprintln!`], [`read_line`] |
//! | log | [`error!`], [`warn!`], [`info!`], [`debug!`], [`trace!`]: `log=LEVEL` on the command line, `warn` without it |
//! | allocate | [`Box`], [`Vec`], [`vec!`], [`String`], [`format!`], [`BTreeMap`] and all of [`alloc`] |
//! | tell the time | [`Instant`], [`Duration`], [`uptime`], [`sleep`] |
//! | work on pages | [`VmArea`], [`Access`], [`VmError`], [`Fault`], [`PGSIZE`] |
//! | see memory | [`memory_use`], [`tables`]: UVPT and UPAGES |
//! | end | [`ExitCode`], `Result`, [`exit`] |

pub use alloc::borrow::ToOwned;
pub use alloc::boxed::Box;
pub use alloc::collections::BTreeMap;
pub use alloc::string::{String, ToString};
pub use alloc::vec::Vec;
pub use alloc::{self, format, vec};
pub use core::time::Duration;

pub use layout::PGSIZE;
pub use log::{debug, error, info, trace, warn};

pub use crate::app::area::{Access, Translation, VmArea, VmError};
pub use crate::app::console::read_line;
pub use crate::app::memory::{MemoryUse, memory_use};
pub use crate::app::process::{ExitCode, command_line, exit};
pub use crate::app::tables;
pub use crate::app::time::{Instant, sleep, uptime};
pub use crate::machine::Fault;
pub use crate::{application, eprintln, print, println};

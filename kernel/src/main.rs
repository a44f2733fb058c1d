//! The default application: JOS's kernel monitor.
#![no_std]
#![no_main]

libjos::application!(kernel::monitor::monitor);

//! The default application: JOS's kernel monitor.
#![no_std]
#![no_main]

kernel::application!(kernel::monitor::monitor);

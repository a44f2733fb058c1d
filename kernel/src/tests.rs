//! The whole kernel, from `kernel_main` to the end of the machine, on the simulated PC.

use libjos::app::process::ExitCode;

use crate::arch::host::process::alone;
use crate::faults;
use crate::rig;

#[test]
fn from_the_entry_to_the_end() {
    alone(|| {
        rig::boot("", || {
            println!("Hello");
            ExitCode::SUCCESS
        })
    })
    .assert_printed(33, &["?"]);
}

#[test]
fn xx() {
    let names: std::vec::Vec<_> = faults::all().map(|f| f.name).collect();
    let all = crate::arch::host::process::each_alone(&names, |name| {
        rig::boot(&std::format!("test={name} pages=poison heap=poison"), || ExitCode::SUCCESS)
    });
    for (n, e) in names.iter().zip(all) {
        std::eprintln!("== {n} {} {}", e.status, e.printed.split_once("installed").unwrap().1);
    }
}

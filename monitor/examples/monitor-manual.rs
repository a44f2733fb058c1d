//! Writes `docs/monitor.md`, which is made of the monitor's table of commands.

fn main() {
    print!("{}", monitor::Manual);
}

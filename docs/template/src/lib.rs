//! The application's own work, apart from the machine, so that its tests run on the host: `cargo test-host`.
#![no_std]

use libjos::prelude::*;

/// Greets the first of `words`.
///
/// # Errors
///
/// If there is none.
pub fn greeting(words: &str) -> Result<String, String> {
    let name = words.split_whitespace().next().ok_or("whom shall I greet?")?;
    Ok(format!("Hello, {name}, from an application of my own!"))
}

#[cfg(test)]
mod tests {
    use libjos::sim::SimPlatform;

    use super::*;

    #[test]
    fn it_greets_the_first() {
        assert_eq!(greeting("Ada Lovelace").unwrap(), "Hello, Ada, from an application of my own!");
        assert!(greeting(" ").is_err());
    }

    // `SimPlatform` is a machine for tests: it keeps the printed text and counts pages.
    #[test]
    fn it_prints_the_greeting() {
        let run = SimPlatform::new().command_line("Ada").run(|| {
            println!("{}", greeting(&command_line())?);
            Ok::<_, String>(())
        });
        assert_eq!(run.output, "Hello, Ada, from an application of my own!\n");
    }
}

//! Links the image as JOS64's kernel says: where it lies in memory, and what it begins with. On the host there is none.

fn main() {
    let arguments = std::env::var("DEP_JOS64_LINK_ARGUMENTS").unwrap_or_default();
    for argument in arguments.split('\x1f').filter(|argument| !argument.is_empty()) {
        println!("cargo::rustc-link-arg={argument}");
    }
}

//! Links the image as the kernel's own build script says.

fn main() {
    let arguments = std::env::var("DEP_JOS64_LINK_ARGUMENTS").unwrap_or_default();
    for argument in arguments.split('\x1f').filter(|argument| !argument.is_empty()) {
        println!("cargo::rustc-link-arg={argument}");
    }
}

//! Links as JOS64's kernel says: where the image lies in memory, and what it begins with.

fn main() {
    let arguments = std::env::var("DEP_JOS64_LINK_ARGUMENTS").expect("the kernel's build sets it");
    for argument in arguments.split('\x1f') {
        println!("cargo::rustc-link-arg={argument}");
    }
}

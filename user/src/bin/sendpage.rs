//! Two environments send each other a page with a text.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

const HELLO: &str = "hello child environment! how are you?";
const ANSWER: &str = "hello parent environment! I'm good.";

/// Where the parent has its page.
const PARENTS: usize = 0xA0_0000;
/// Where the child has it.
const CHILDS: usize = 0xB0_0000;

fn main(_: Args) {
    match fork().expect("fork") {
        Fork::Child => {
            let parent = receive(CHILDS, HELLO, "child");
            put(CHILDS, ANSWER);
            // SAFETY: this program has no object there.
            unsafe { ipc_send_page(parent, 0, CHILDS, PTE_RW) };
        }
        Fork::Parent(child) => {
            // SAFETY: this program has no object there.
            unsafe { sys_page_alloc(thisenv().id(), PARENTS, PTE_RW) }.expect("a page");
            put(PARENTS, HELLO);
            // SAFETY: as above.
            unsafe { ipc_send_page(child, 0, PARENTS, PTE_RW) };
            receive(PARENTS, ANSWER, "parent");
        }
    }
}

/// Writes a text at `va`, with 0 behind it.
fn put(va: usize, text: &str) {
    // SAFETY: a page is mapped there, it is longer than the texts, and this program has no object there.
    unsafe {
        let page: *mut u8 = core::ptr::with_exposed_provenance_mut(va);
        page.copy_from(text.as_ptr(), text.len());
        page.add(text.len()).write(0);
    }
}

/// Receives a page at `va`; returns who sent it.
fn receive(va: usize, expected: &str, who: &str) -> EnvId {
    // SAFETY: this program has no object there.
    unsafe { sys_ipc_recv(va) }.expect("sys_ipc_recv");
    let from = Message::received().from;
    // SAFETY: the sender has mapped a page there, whose text ends with 0. It is borrowed only here.
    let text = unsafe { core::ffi::CStr::from_ptr(core::ptr::with_exposed_provenance(va)) };
    let text = text.to_str().unwrap_or("no text");
    cprintf!("{:x} got message: {text}\n", from.0);
    if text == expected {
        cprintf!("{who} received correct message\n");
    }
    from
}

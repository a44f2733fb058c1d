//! Two environments send each other a number that grows.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

fn main(_: Args) {
    if let Fork::Parent(child) = fork().expect("fork") {
        cprintf!("send 0 from {:x} to {:x}\n", sys_getenvid().0, child.0);
        ipc_send(child, 0);
    }
    let id = sys_getenvid();
    loop {
        let Message { from, value, .. } = ipc_recv();
        cprintf!("{:x} got {value} from {:x}\n", id.0, from.0);
        if value == 10 {
            return;
        }
        ipc_send(from, value + 1);
        if value + 1 == 10 {
            return;
        }
    }
}

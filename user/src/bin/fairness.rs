//! Shows that sending is not fair: of two environments that send to a third, one may wait for ever. Start three of
//! these.
#![no_std]
#![no_main]

use user::prelude::*;

main!(main);

fn main(_: Args) {
    let id = sys_getenvid();
    let second = envs().nth(1).expect("there are more slots");
    if thisenv() == second {
        loop {
            cprintf!("{:x} recv from {:x}\n", id.0, ipc_recv().from.0);
        }
    }
    cprintf!("{:x} loop sending to {:x}\n", id.0, second.id().0);
    loop {
        ipc_send(second.id(), 0);
    }
}

// The firmware of `make BOOT=bare`, in place of OpenSBI: it starts the kernel in supervisor mode, and answers the
// kernel's calls in machine mode. The constants in braces come from entry.rs.
//
// QEMU's -bios loads it at DRAM's base, and all harts begin there (A0: the hart's number; A1: the device tree). It is
// not part of the kernel's image, and reaches its data relative to the program counter.

.section .bare, "", @progbits
.balign 4
bare_start:
    csrr t0, mhartid
    bnez t0, bare_park          // one hart runs
    lla t0, bare_trap
    csrw mtvec, t0

// Without supervisor mode (misa's S, 3.1.1), or without a kernel, the MRET below would lead nowhere.
    lla s0, bare_no_supervisor
    csrr t0, misa
    slli t0, t0, 63 - 18
    bgez t0, bare_cannot_start
    lla s0, bare_no_kernel
    li t0, {LOAD_ADDR}
    lw t0, 0(t0)
    beqz t0, bare_cannot_start

// Physical memory protection (RISC-V privileged specification, 3.7): the kernel may access all memory but this page.
// PMPADDR holds an address divided by 4, with the size in its lowest bits.
    li t0, {BARE_PAGE}
    csrw pmpaddr0, t0
    li t0, -1
    csrw pmpaddr1, t0
    li t0, {BARE_PMP}
    csrw pmpcfg0, t0

// Supervisor mode gets all exceptions that it can handle, and its own interrupts (3.1.8). It may read the counters
// (3.1.11).
    li t0, {BARE_EXCEPTIONS}
    csrw medeleg, t0
    li t0, {BARE_INTERRUPTS}
    csrw mideleg, t0
    csrw mie, zero
    li t0, 0b111
    csrw mcounteren, t0

// Jump to the kernel, in supervisor mode (3.1.6.1, 3.3.2).
    li t0, {MSTATUS_MPP}
    csrc mstatus, t0
    li t0, {MSTATUS_MPP_SUPERVISOR}
    csrs mstatus, t0
    li t0, {LOAD_ADDR}
    csrw mepc, t0
    mret

// Handles the traps to machine mode. Two extensions are known, which A7 names: the debug console prints the byte in A0,
// and the timer is set to A0. Both change A0 alone. After any other call, and after an exception of this firmware, QEMU
// ends with a failure.
.balign 4
bare_trap:
    csrw mscratch, t0
    csrr t0, mcause
    bltz t0, bare_timer         // the only interrupt of machine mode that is enabled
    addi t0, t0, -{CAUSE_SUPERVISOR_CALL}
    bnez t0, bare_end
    li t0, {SBI_CONSOLE}
    beq t0, a7, 1f
    li t0, {SBI_TIME}
    bne t0, a7, bare_end
    li t0, {TIMER_COMPARE}
    sd a0, 0(t0)
    li t0, {SUPERVISOR_TIMER}
    csrc mip, t0
    li t0, {MACHINE_TIMER}
    csrs mie, t0
    j 2f
1:  li t0, {UART}
    lbu t0, 5(t0)               // wait until the transmitter takes a byte
    andi t0, t0, 0x20
    beqz t0, 1b
    li t0, {UART}
    sb a0, 0(t0)
2:  li a0, 0
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    csrr t0, mscratch
    mret

// Passes the timer's interrupt on to supervisor mode, and masks it here until the kernel sets the timer again.
bare_timer:
    li t0, {MACHINE_TIMER}
    csrc mie, t0
    li t0, {SUPERVISOR_TIMER}
    csrs mip, t0
    csrr t0, mscratch
    mret

// Prints the string at S0, and ends QEMU with a failure.
bare_cannot_start:
    lbu t0, 0(s0)
    beqz t0, bare_end
    li t1, {UART}
    sb t0, 0(t1)
    addi s0, s0, 1
    j bare_cannot_start
bare_end:
    li t0, {EXIT_FAILURE}
    li t1, {TEST_DEVICE}
    sw t0, 0(t1)
bare_park:
    wfi
    j bare_park

bare_no_supervisor:
    .asciz "JOS64 cannot start: this hart has no supervisor mode; use qemu-system-riscv64 with -cpu rv64\r\n"
bare_no_kernel:
    .asciz "JOS64 cannot start: there is no kernel behind the firmware; give QEMU -kernel obj/kern/kernel\r\n"

.text

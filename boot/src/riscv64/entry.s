// The entry code of RISC-V, from the firmware's jump to kernel_main. The constants in braces come from entry.rs.
//
// Until the jump to high_start it runs at its load address, and every `lla` gives a physical address.

// The stack that the kernel starts on. mem_init maps it a second time, below KSTACKTOP.
.section .bss.bootstack, "aw", @nobits
.balign {PGSIZE}
.globl bootstack, bootstacktop
.type bootstack, @object
.size bootstack, {KSTKSIZE}
bootstack:
    .skip {KSTKSIZE}
bootstacktop:

// The copy of the device tree: linker.ld puts it at the image's end.
.section .loader_copy, "aw", @nobits
.balign 8
tree_copy:
    .skip {TREE_ROOM}

// Writes the entry at `offset` of `table`, which leads to the table `next`.
.macro link table, offset, next
    lla t0, \next
    srli t0, t0, {PTE_PPN_SHIFT}
    ori t0, t0, {LINK}
    lla t1, \table
    li t2, \offset
    add t1, t1, t2
    sd t0, 0(t1)
.endm

// Sets the reason that early_trap gives. Changes T6.
.macro may_fail message
    lla t6, \message
    csrw sscratch, t6
.endm

.section .text.boot, "ax", @progbits

// The firmware enters here, with the hart's number in A0 and the device tree at A1.
.globl sbi_start
.type sbi_start, @function
sbi_start:
    mv s2, a0                   // the hart
    csrw sie, zero
    csrw satp, zero
    li t0, {SSTATUS_CLEAR}
    csrc sstatus, t0
    lla t0, early_trap
    csrw stvec, t0
    lla sp, bootstacktop

    may_fail place_message
    lla t0, sbi_start
    li t1, {LOAD_ADDR}
    bne t0, t1, early_trap

// The device tree's header (Devicetree specification 0.4, 5.2): the magic and the size, big-endian words.
    may_fail no_tree_message
    andi t0, a1, 7
    bnez t0, early_trap
    lw t0, 0(a1)
    li t1, {TREE_MAGIC_SWAPPED}
    bne t0, t1, early_trap
    li t0, 0
    addi t1, a1, 4
    addi t2, a1, 8
1:  slli t0, t0, 8
    lbu t3, 0(t1)
    or t0, t0, t3
    addi t1, t1, 1
    bne t1, t2, 1b
    may_fail large_tree_message
    li t1, {TREE_ROOM}
    bgtu t0, t1, early_trap

// Copy it, in whole words.
    lla t2, tree_copy
    add t0, t0, a1
2:  ld t3, 0(a1)
    sd t3, 0(t2)
    addi a1, a1, 8
    addi t2, t2, 8
    bltu a1, t0, 2b

// Turn on paging (RISC-V privileged specification, 12.1.11 and 12.2.1). A mode that the hart does not have leaves SATP
// as it was. The fence before it orders the writes to the tables before the first walk; the one behind it drops
// translations of another kernel.
    may_fail no_sv39_message
    link {entry_pgdir}, {LOW}, {LOW_PAGES}
    link {entry_pgdir}, {HIGH}, {HIGH_PAGES}
    link {HIGH_PAGES}, {MMIO}, {DEVICE_PAGES}
    lla t0, {entry_pgdir}
    srli t0, t0, {PGSHIFT}
    li t1, {SATP_SV39}
    or t0, t0, t1
    sfence.vma
    csrw satp, t0
    sfence.vma
    csrr t1, satp
    bne t0, t1, early_trap
    may_fail early_message

// Jump to the window, with the physical address of the copy in A1.
    lla a1, tree_copy
    lla t0, high_start
    li t1, {WINDOW}
    add t0, t0, t1
    jr t0
.size sbi_start, . - sbi_start

// Runs at KERNBASE: moves the stack up too, clears the frame pointer and the return address so that backtraces end here
// (the kernel's and gdb's), maps the devices, and calls the kernel.
.section .text.entry, "ax", @progbits
.type high_start, @function
high_start:
    .cfi_startproc
    .cfi_undefined ra
    lla sp, bootstacktop
    li s0, 0
    mv s1, a1
    mv a0, a1
    mv a1, s2
    call {map_devices}
    li a0, {TREE_MAGIC}
    sext.w a1, s1               // as the ABI passes 32 bits
    call kernel_main
    unimp
    .cfi_endproc
.size high_start, . - high_start

.section .text.boot, "ax", @progbits

// The kernel cannot start: an exception before it handles any, or a jump from above. Prints "JOS64 cannot start: " and
// the reason, whose address is in SSCRATCH (or nothing if that is 0), on the firmware's console. Ends QEMU with a
// failure if it has the device; or else asks the firmware to turn the machine off.
//
// An exception arrives at the low address, which both states of paging allow.
.balign 4
.type early_trap, @function
early_trap:
    csrr s1, sscratch
    beqz s1, 1f
    lla s2, cannot_start_message
    jal print
    mv s2, s1
    jal print
    lla s2, newline
    jal print
1:  csrw satp, zero
    lla t0, halt
    csrw stvec, t0              // for an exception of the device's
    li t0, {EXIT_FAILURE}
    li t1, {TEST_DEVICE}
    sw t0, 0(t1)
.balign 4
halt:
    li a0, 0
    li a1, 1
    li a6, 0
    li a7, {SBI_RESET}
    ecall                       // turn the machine off, because of a failure
1:  wfi
    j 1b
.size early_trap, . - early_trap

// Prints the string at S2 on the firmware's console: the debug console, or where there is none, the older one
// (RISC-V SBI specification, chapter 12 and 5.2).
.type print, @function
print:
    lbu a0, 0(s2)
    beqz a0, 2f
    li a6, {SBI_CONSOLE_PUT}
    li a7, {SBI_CONSOLE}
    ecall
    beqz a0, 1f
    lbu a0, 0(s2)
    li a7, {SBI_OLD_CONSOLE}
    ecall
1:  addi s2, s2, 1
    j print
2:  ret
.size print, . - print

.section .rodata.boot, "a", @progbits
cannot_start_message:
    .asciz "JOS64 cannot start: "
place_message:
    .asciz "the kernel is not where it is linked; boot by qemu-system-riscv64 -machine virt -kernel obj/kern/kernel"
no_tree_message:
    .ascii "the firmware gives no device tree (in A1); "
    .asciz "boot by qemu-system-riscv64 -machine virt -kernel obj/kern/kernel"
large_tree_message:
    .ascii "the device tree's size is wrong, or larger than the room for the tree "
    .asciz "(TREE_ROOM in boot/src/riscv64/entry.rs)"
no_sv39_message:
    .asciz "this hart has no Sv39; use qemu-system-riscv64 with -cpu rv64"
early_message:
    .asciz "an exception came before the kernel could report it"
newline:
    .asciz "\r\n"

.text

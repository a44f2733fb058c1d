// JOS64's entry, in 32-bit code until long_mode. What is in braces comes from entry.rs.
//
// From the checks on, EDI holds the magic of the loader's protocol and ESI the physical address
// of what it says: already the two arguments of kernel_main.

// The stack that the kernel starts on. mem_init maps it once more, below KSTACKTOP.
.section .bss.bootstack, "aw", @nobits
.balign {PGSIZE}
.globl bootstack, bootstacktop
.type bootstack, @object
.size bootstack, {KSTKSIZE}
bootstack:
    .skip {KSTKSIZE}
bootstacktop:

.section .boot.text, "ax", @progbits
.code32

// A multiboot2 loader enters here, with its magic in EAX and its information at EBX.
.globl multiboot2_start
.type multiboot2_start, @function
multiboot2_start:
    mov edi, eax
    mov edx, {MULTIBOOT2_MAGIC}
    jmp check_loader
.size multiboot2_start, . - multiboot2_start

// A PVH loader enters here, with its information at EBX; that begins with the magic.
.globl pvh_start
.type pvh_start, @function
pvh_start:
    mov edi, [ebx]
    mov edx, {PVH_MAGIC}
.size pvh_start, . - pvh_start

// From here on nothing depends on what the loader left in the flags and in DR7, whose breakpoints
// would be exceptions that nobody handles yet. EDX is the magic that EDI must hold.
.type check_loader, @function
check_loader:
    mov eax, {DR7}
    mov dr7, eax
    mov esp, offset bootstacktop - {KERNBASE}
    push {EFLAGS}
    popfd
    mov esi, ebx
    cmp edi, edx
    je check_processor
    mov esi, offset no_loader_message
    jmp cannot_start
.size check_loader, . - check_loader

// Is this a 64-bit processor that knows no-execute pages?
.type check_processor, @function
check_processor:
    push {EFLAGS} | {EFLAGS_ID} // CPUID is there if EFLAGS.ID can be set
    popfd
    pushfd
    pop eax
    push {EFLAGS}
    popfd
    test eax, {EFLAGS_ID}
    jz no_long_mode

    mov eax, {CPUID_EXTENDED} - 1   // the highest extended leaf
    cpuid
    cmp eax, {CPUID_EXTENDED}
    jb no_long_mode
    mov eax, {CPUID_EXTENDED}
    cpuid
    test edx, {CPUID_EDX_LM}
    jz no_long_mode
    test edx, {CPUID_EDX_NX}
    jz no_nx

// Enter long mode (Intel SDM vol. 3A, 9.8.5): PAE, the tables, EFER, paging, a 64-bit segment.
// Each register is written whole, since the loader may have left any bit in it. CR4 is first:
// five levels of tables must be off before paging is on, and CET before CR0.WP is off.
    mov eax, {CR4}
    mov cr4, eax
    mov eax, offset entry_pgdir - {KERNBASE}
    mov cr3, eax
    mov ecx, {MSR_EFER}
    mov eax, {EFER}
    xor edx, edx
    wrmsr
    mov eax, {CR0}
    mov cr0, eax

    lgdt [entry_gdt_pointer]
    push {CODE_SELECTOR}
    mov eax, offset long_mode
    push eax
    retf                        // to CODE_SELECTOR:long_mode
.size check_processor, . - check_processor

.code64
.type long_mode, @function
long_mode:
    mov eax, {DATA_SELECTOR}
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    lldt ax
    mov rax, offset high_start
    jmp rax
.size long_mode, . - long_mode

// At KERNBASE at last: move the stack up too, clear the frame pointer and the return address so
// that backtraces end here (the kernel's and gdb's), and call the kernel. The upper halves of RDI
// and RSI are undefined after 32-bit code (Intel SDM vol. 1, 3.4.1.1), so both are written once
// more.
.section .text.entry, "ax", @progbits
.type high_start, @function
high_start:
    .cfi_startproc
    .cfi_undefined rip
    mov rsp, offset bootstacktop
    xor ebp, ebp
    mov edi, edi
    mov esi, esi
    call kernel_main
    ud2
    .cfi_endproc
.size high_start, . - high_start

.section .boot.text, "ax", @progbits
.code32
no_long_mode:
    mov esi, offset no_long_mode_message
    jmp cannot_start
no_nx:
    mov esi, offset no_nx_message

// Says "JOS64 cannot start: " and what ESI points to on COM1 and on the screen, ends QEMU with a
// failure if it has the device for it, and halts.
.type cannot_start, @function
cannot_start:
    push esi
    mov esi, offset serial_setup    // pairs of register and value, up to register 0xFF
1:  lodsw
    cmp al, 0xFF
    je 2f
    movzx edx, al
    add edx, {COM1}
    mov al, ah
    out dx, al
    jmp 1b
2:  mov ebx, {VGA_TEXT}
    mov esi, offset cannot_start_message
    call print
    pop esi
    call print
    mov esi, offset newline
    call print
    mov dx, {COM1} + 5
3:  in al, dx                       // let the last byte leave: transmitter empty
    test al, 0x40
    jz 3b
    mov al, {DEBUG_EXIT_FAILURE}
    mov dx, {DEBUG_EXIT_PORT}
    out dx, al
4:  cli
    hlt
    jmp 4b
.size cannot_start, . - cannot_start

// Prints the string at ESI; EBX is the next cell of the screen.
.type print, @function
print:
    mov dx, {COM1} + 5
1:  in al, dx                       // wait until the transmitter takes a byte (no UART: 0xFF)
    test al, 0x20
    jz 1b
    lodsb
    test al, al
    jz 3f
    mov dx, {COM1}
    out dx, al
    cmp al, 0x20                    // line ends have no cell
    jb print
    mov ah, {VGA_WHITE_ON_RED}
    mov [ebx], ax
    add ebx, 2
    jmp print
3:  ret
.size print, . - print

.section .boot.rodata, "a", @progbits
.balign 8
entry_gdt_pointer:
    .word {GDT_LIMIT}
    .long entry_gdt - {KERNBASE}

// 16550 set-up: no interrupts; divisor 1 (115200 baud) through the latch; 8N1; FIFOs on and
// cleared; DTR and RTS.
serial_setup:
    .byte 1, 0x00,  3, 0x80,  0, 0x01,  1, 0x00,  3, 0x03,  2, 0x07,  4, 0x03,  0xFF, 0

cannot_start_message:
    .asciz "JOS64 cannot start: "
no_loader_message:
    .ascii "not started by a multiboot2 or PVH loader; "
    .asciz "boot obj/jos.iso, or use qemu-system-x86_64 -kernel obj/kern/kernel"
no_long_mode_message:
    .ascii "this processor has no long mode (64-bit); "
    .asciz "use qemu-system-x86_64 with -cpu qemu64 or newer"
no_nx_message:
    .ascii "this processor has no NX (no-execute pages); "
    .asciz "use -cpu qemu64 without -nx, or turn on NX/XD in the firmware"
newline:
    .asciz "\r\n"

// What the compiler puts behind this is 64-bit code.
.code64
.text

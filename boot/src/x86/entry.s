// The 32-bit entry code of every PC. It jumps to check_processor in the machine's own entry.s, which turns on paging and
// comes back to load_segments. The constants in braces come from entry.rs.
//
// After check_loader, EDI holds the magic of the loader's protocol and ESI the physical address of the boot information.

// The stack that the kernel starts on. mem_init maps it a second time, below KSTACKTOP.
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

// A PVH loader enters here, with its information at EBX; the information begins with the magic.
.globl pvh_start
.type pvh_start, @function
pvh_start:
    mov edi, [ebx]
    mov edx, {PVH_MAGIC}
.size pvh_start, . - pvh_start

// Checks that EDI holds the magic in EDX, and that there is CPUID. It begins by setting the flags and DR7, whatever the
// loader left in them: a breakpoint in DR7 would raise an exception, and nothing handles exceptions yet.
.type check_loader, @function
check_loader:
    mov eax, {DR7}
    mov dr7, eax
    mov esp, offset bootstacktop - {KERNBASE}
    push {EFLAGS}
    popfd
    mov esi, ebx
    cmp edi, edx
    jne no_loader

    push {EFLAGS} | {EFLAGS_ID}     // CPUID is there if EFLAGS.ID can be set
    popfd
    pushfd
    pop eax
    push {EFLAGS}
    popfd
    test eax, {EFLAGS_ID}
    jnz check_processor
    jmp no_cpuid
.size check_loader, . - check_loader

no_loader:
    mov esi, offset no_loader_message
    jmp cannot_start

// Loads all segment registers, makes the table of local segments empty, and jumps to ECX.
.globl load_segments
.type load_segments, @function
load_segments:
    lgdt [entry_gdt_pointer]
    mov eax, {DATA_SELECTOR}
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    lldt ax
    push {CODE_SELECTOR}
    push ecx
    retf                            // to CODE_SELECTOR:ECX
.size load_segments, . - load_segments

// Connects the board's interrupt controllers, two 8259s, to the processor. If the processor has a controller of its
// own, their requests pass through that, as its register LINT0 says (Intel SDM vol. 3A, 10.5.1). QEMU's obeys LINT0
// even while it is off, and microvm's firmware does not set LINT0. Call this before paging is on; it changes EAX to
// EDX.
.globl connect_interrupts
.type connect_interrupts, @function
connect_interrupts:
    mov eax, {CPUID_FEATURES}
    cpuid
    test edx, {CPUID_EDX_APIC}
    jz 1f
    mov dword ptr [{APIC_LINT0}], {APIC_EXTERNAL}
1:  ret
.size connect_interrupts, . - connect_interrupts

// Prints "JOS64 cannot start: " and the string at ESI on COM1 and on the screen, ends QEMU with a
// failure if it has the isa-debug-exit device, and halts.
.globl cannot_start
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
3:  in al, dx                       // wait until the last byte has left: transmitter empty
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
1:  in al, dx                       // wait until the transmitter takes a byte (0xFF if there is no UART)
    test al, 0x20
    jz 1b
    lodsb
    test al, al
    jz 3f
    mov dx, {COM1}
    out dx, al
    cmp al, 0x20                    // a line end takes no cell of the screen
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
newline:
    .asciz "\r\n"

// The compiler's own code follows.
.if {BITS} == 64
.code64
.endif
.text

// The entry code of x86-64, from check_processor to kernel_main: 32-bit code up to long_mode. The constants in braces
// come from entry.rs.
//
// EDI holds the magic of the loader's protocol and ESI the physical address of the boot information: these are already
// the registers of kernel_main's two arguments.

.section .boot.text, "ax", @progbits
.code32

// Checks that the processor has long mode and no-execute pages.
.globl check_processor, no_cpuid, no_loader_message
.type check_processor, @function
check_processor:
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

    call connect_interrupts

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
    mov ecx, offset long_mode
    jmp load_segments
.size check_processor, . - check_processor

.code64
.type long_mode, @function
long_mode:
    mov rax, offset high_start
    jmp rax
.size long_mode, . - long_mode

// Runs at KERNBASE: moves the stack up too, clears the frame pointer and the return address so
// that backtraces end here (the kernel's and gdb's), and calls the kernel. The upper halves of RDI
// and RSI are undefined after 32-bit code (Intel SDM vol. 1, 3.4.1.1); writing the lower halves
// clears them.
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
no_cpuid:
no_long_mode:
    mov esi, offset no_long_mode_message
    jmp cannot_start
no_nx:
    mov esi, offset no_nx_message
    jmp cannot_start

.section .boot.rodata, "a", @progbits
no_loader_message:
    .ascii "not started by a multiboot2 or PVH loader; "
    .asciz "boot obj/x86_64/jos.iso, or use qemu-system-x86_64 -kernel obj/x86_64/kernel"
no_long_mode_message:
    .ascii "this processor has no long mode (64-bit); "
    .asciz "use qemu-system-x86_64 with -cpu qemu64 or newer"
no_nx_message:
    .ascii "this processor has no NX (no-execute pages); "
    .asciz "use -cpu qemu64 without -nx, or turn on NX/XD in the firmware"

// The compiler's own 64-bit code follows.
.code64
.text

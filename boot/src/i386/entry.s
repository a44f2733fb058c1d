// The entry code of i386, from check_processor to kernel_main. The constants in braces come from entry.rs.
//
// EDI holds the magic of the loader's protocol and ESI the physical address of the boot information.

.section .boot.text, "ax", @progbits
.code32

// Checks that the processor is a Pentium or newer, and has 4 MB pages.
.globl check_processor, no_cpuid, no_loader_message
.type check_processor, @function
check_processor:
    xor eax, eax                    // the highest leaf
    cpuid
    cmp eax, {CPUID_FEATURES}
    jb too_old
    mov eax, {CPUID_FEATURES}
    cpuid
    mov eax, edx
    and eax, {CPUID_EDX_PENTIUM}
    cmp eax, {CPUID_EDX_PENTIUM}
    jne too_old
    test edx, {CPUID_EDX_PSE}
    jz no_pse

    mov eax, {CPUID_EXTENDED} - 1   // the highest extended leaf
    cpuid
    cmp eax, {CPUID_EXTENDED}
    jb 1f
    mov eax, {CPUID_EXTENDED}
    cpuid
    test edx, {CPUID_EDX_HAS_EFER}
    jz 1f
    mov ecx, {MSR_EFER}             // all extensions off
    xor eax, eax
    xor edx, edx
    wrmsr
1:

    call connect_interrupts

// Turn on paging (Intel SDM vol. 3A, 9.8.1 and 9.9.1). Each register is written whole, since the loader may have left any
// bit in it. CR4 is first: PAE must be off before paging is on, and CET before CR0.WP is off.
    mov eax, {CR4}
    mov cr4, eax
    mov eax, offset entry_pgdir - {KERNBASE}
    mov cr3, eax
    mov eax, {CR0}
    mov cr0, eax
    fninit
    mov ecx, offset high_start
    jmp load_segments
.size check_processor, . - check_processor

// Runs at KERNBASE: moves the stack up too, clears the frame pointer and the return address so that backtraces end here
// (the kernel's and gdb's), and calls the kernel, with a stack that is aligned to 16 bytes at the call (System V ABI for
// i386, 2.2.2).
.section .text.entry, "ax", @progbits
.type high_start, @function
high_start:
    .cfi_startproc
    .cfi_undefined eip
    mov esp, offset bootstacktop - 8
    xor ebp, ebp
    push esi
    push edi
    call kernel_main
    ud2
    .cfi_endproc
.size high_start, . - high_start

.section .boot.text, "ax", @progbits
no_cpuid:
too_old:
    mov esi, offset too_old_message
    jmp cannot_start
no_pse:
    mov esi, offset no_pse_message
    jmp cannot_start

.section .boot.rodata, "a", @progbits
no_loader_message:
    .ascii "not started by a multiboot2 or PVH loader; "
    .asciz "boot obj/i386/jos.iso, or use qemu-system-i386 -kernel obj/i386/kernel"
too_old_message:
    .ascii "this processor is older than a Pentium; "
    .asciz "use qemu-system-i386 with -cpu pentium or newer"
no_pse_message:
    .ascii "this processor has no PSE (4 MB pages); "
    .asciz "use -cpu pentium or newer without -pse"

.text

# Hand-written DWARF for the globals in globals.rs, so that gdb finds `p npages`. (DWARF 4, sections 2.5, 2.6 and 7.5;
# the numbers of its tags, attributes and operations are named below.)
#
# gdb looks for a bare Rust name only in the module of the function where it stopped, but finds a C static of file
# scope from everywhere. So this describes a C file that does not exist. `unique` keeps its sections apart from the
# compiler's own, whose abbreviations are numbered from 1 too.

    .equ DW_TAG_member, 0x0d
    .equ DW_TAG_pointer_type, 0x0f
    .equ DW_TAG_compile_unit, 0x11
    .equ DW_TAG_structure_type, 0x13
    .equ DW_TAG_base_type, 0x24
    .equ DW_TAG_variable, 0x34

    .equ DW_AT_location, 0x02
    .equ DW_AT_name, 0x03
    .equ DW_AT_byte_size, 0x0b
    .equ DW_AT_language, 0x13
    .equ DW_AT_const_value, 0x1c
    .equ DW_AT_data_member_location, 0x38
    .equ DW_AT_encoding, 0x3e
    .equ DW_AT_type, 0x49

    .equ DW_FORM_data8, 0x07
    .equ DW_FORM_string, 0x08
    .equ DW_FORM_data1, 0x0b
    .equ DW_FORM_ref4, 0x13
    .equ DW_FORM_exprloc, 0x18

    .equ DW_LANG_C99, 0x0c
    .equ DW_ATE_unsigned, 0x07

    .equ DW_OP_addr, 0x03
    .equ DW_OP_deref, 0x06
    .equ DW_OP_const8u, 0x0e
    .equ DW_OP_minus, 0x1c
    .equ DW_OP_bra, 0x28
    .equ DW_OP_lt, 0x2d
    .equ DW_OP_lit0, 0x30
    .equ DW_OP_breg0, 0x70
    .equ DW_OP_stack_value, 0x9f

# The abbreviations: each has a number, a tag, and whether it has children; then its attributes.
    .section .debug_abbrev,"",@progbits,unique,1
.Labbreviations:
    .byte 1, DW_TAG_compile_unit, 1
    .byte DW_AT_language, DW_FORM_data1, DW_AT_name, DW_FORM_string, 0, 0
    .byte 2, DW_TAG_base_type, 0
    .byte DW_AT_name, DW_FORM_string, DW_AT_byte_size, DW_FORM_data1, DW_AT_encoding, DW_FORM_data1, 0, 0
    .byte 3, DW_TAG_pointer_type, 0
    .byte DW_AT_byte_size, DW_FORM_data1, 0, 0
    .byte 4, DW_TAG_pointer_type, 0
    .byte DW_AT_byte_size, DW_FORM_data1, DW_AT_type, DW_FORM_ref4, 0, 0
    .byte 5, DW_TAG_structure_type, 1
    .byte DW_AT_name, DW_FORM_string, DW_AT_byte_size, DW_FORM_data1, 0, 0
    .byte 6, DW_TAG_member, 0
    .byte DW_AT_name, DW_FORM_string, DW_AT_type, DW_FORM_ref4, DW_AT_data_member_location, DW_FORM_data1, 0, 0
    .byte 7, DW_TAG_variable, 0
    .byte DW_AT_name, DW_FORM_string, DW_AT_type, DW_FORM_ref4, DW_AT_location, DW_FORM_exprloc, 0, 0
    .byte 8, DW_TAG_variable, 0
    .byte DW_AT_name, DW_FORM_string, DW_AT_type, DW_FORM_ref4, DW_AT_const_value, DW_FORM_data8, 0, 0
    .byte 0

# A structure with one word in it, under its Rust name, which the pretty printers know.
    .macro wrapper name, size, word
    .byte 5
    .asciz "\name"
    .byte \size
    member __0, \word, 0
    .byte 0
    .endm

    .macro member name, type, offset
    .byte 6
    .asciz "\name"
    .long .L\type - .Lunit
    .byte \offset
    .endm

# A variable. Its location follows, up to .Lthere_NAME.
    .macro variable name, type
    .byte 7
    .asciz "\name"
    .long .L\type - .Lunit
    .uleb128 .Lthere_\name - .Lhere_\name
.Lhere_\name:
    .endm

# A number of an address's size.
    .macro address value
    .if {WORD} == 8
    .quad \value
    .else
    .long \value
    .endif
    .endm

# Pushes the address of the word of GLOBALS at `offset`.
    .macro word_at offset
    .byte DW_OP_addr
    address {GLOBALS} + \offset
    reach
    .endm

# Turns the address on top of the stack into one that this processor can read. If the register PLACE is not in the
# upper half, the loader's or the firmware's code runs (as on a second processor), and memory is at its physical address.
    .macro reach
    .byte DW_OP_breg0 + {PLACE}, 0, DW_OP_lit0, DW_OP_lt
    .byte DW_OP_bra
    .short 10                           # over the next two lines
    .byte DW_OP_const8u
    .quad {KERNBASE} - {PHYS_BASE}
    .byte DW_OP_minus
    .endm

# A constant of the map; globals.rs has a line for each.
    .macro constant name, type, value
    .byte 8
    .asciz "\name"
    .long .L\type - .Lunit
    .quad \value
    .endm

    .macro end_of_unit
    .byte 0
.Lunit_end:
    .text
    .endm

    .section .debug_info,"",@progbits,unique,1
.Lunit:
    .long .Lunit_end - .Lunit_start
.Lunit_start:
    .short 4                            # DWARF's version
    .long .Labbreviations
    .byte {WORD}                        # bytes in an address
    .byte 1, DW_LANG_C99
    .asciz "kernel/src/globals.s"
.Lu64:
    .byte 2
    .asciz "u64"
    .byte 8, DW_ATE_unsigned
.Lu32:
    .byte 2
    .asciz "u32"
    .byte 4, DW_ATE_unsigned
.Lusize:
    .byte 2
    .asciz "usize"
    .byte {WORD}, DW_ATE_unsigned
.Laddress:
    .byte 3, {WORD}
.Lphys_addr:
    wrapper libjos::mem::addr::PhysAddr, {WORD}, usize
.Lframe:
    wrapper libjos::mem::pages::info::Frame, 4, u32
.Lpage_info:
    .byte 5
    .asciz "libjos::mem::pages::info::PageInfo"
    .byte {PAGE_INFO}
    member pp_link, u32, {PP_LINK}
    member pp_ref_or_prev, u32, {PP_REF_OR_PREV}
    .byte 0
.Lpage_info_pointer:
    .byte 4, {WORD}
    .long .Lpage_info - .Lunit

    variable npages, usize
    word_at {NPAGES}
.Lthere_npages:

    variable kern_pgdir, phys_addr
    word_at {KERN_PGDIR}
.Lthere_kern_pgdir:

    variable pages, page_info_pointer
    word_at {PAGES}
    .byte DW_OP_deref
    reach
    .byte DW_OP_stack_value
.Lthere_pages:

    variable page_free_list, frame
    word_at {PAGE_FREE_LIST}
    .byte DW_OP_deref
    reach
.Lthere_page_free_list:

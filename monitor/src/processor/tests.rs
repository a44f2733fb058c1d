//! The tables of bits, and error codes in words.

use super::exceptions::PAGE_FAULT_BITS;
use super::*;

const REGISTERS: [&Register; 9] =
    [&CR0, &CR2, &CR3, &CR4, &CR8, &EFER, &RFLAGS, &MCG_STATUS, &MCI_STATUS];

#[test]
fn fields_are_in_order_and_apart() {
    for register in REGISTERS {
        let mut free_from = 0;
        for field in register.fields {
            assert!(field.bit >= free_from, "{} {}", register.name, field.name);
            free_from = field.bit + field.width;
        }
        assert!(free_from <= 64, "{}", register.name);
    }
}

#[test]
fn the_flags_have_a_name_of_each_size() {
    assert_eq!([RFLAGS, EFLAGS].map(|register| register.name), ["RFLAGS", "EFLAGS"]);
    assert!(
        RFLAGS.fields.iter().map(|field| field.bit).eq(EFLAGS.fields.iter().map(|field| field.bit))
    );
}

#[test]
fn lines_of_the_monitor_fit() {
    for field in REGISTERS.iter().flat_map(|register| register.fields) {
        assert!(field.meaning.len() <= 56 && field.name.len() <= 10, "{}", field.name);
    }
    for error in PAGE_FAULT_BITS {
        assert!(error.set.len().max(error.clear.len()) <= 60, "{}", error.name);
    }
}

#[test]
fn what_is_set_is_named() {
    assert_eq!(CR0.names(0x8001_0011).to_string(), "PE ET WP PG");
    assert_eq!(CR4.names(0).to_string(), "none");
    assert_eq!(CR3.names(0x12_3018).to_string(), "PWT PCD PFN=0x123");
    assert_eq!(EFER.names(0xD02).to_string(), "LME LMA NXE ?=0x2");
    assert_eq!(RFLAGS.names(0x3202).to_string(), "1 IF IOPL=0x3");
    assert_eq!(CR2.names(u64::MAX).to_string(), "VA=0xffffffffffffffff");
    assert_eq!(CR8.names(0xF).to_string(), "TPR=0xf");
    assert_eq!(MCG_STATUS.names(5).to_string(), "RIPV MCIP");
    let status = MCI_STATUS.names(0xB600_0000_0007_0005).to_string();
    assert_eq!(status, "MCACOD=0x5 MSCOD=0x7 PCC ADDRV EN UC VAL");
}

fn words(vector: u64, code: u64) -> String {
    ErrorCode { vector, code }.to_string()
}

#[test]
fn page_faults_in_words() {
    assert_eq!(
        words(vector::PAGE_FAULT, 0b11),
        "error code 0x3: P=1 W/R=1 U/S=0 RSVD=0 I/D=0 PK=0 SS=0 SGX=0\
         \n    P    1  present: permissions forbid the access\
         \n    W/R  1  write\
         \n    U/S  0  by the kernel"
    );
    let all = words(vector::PAGE_FAULT, u64::MAX);
    for error in &PAGE_FAULT_BITS[1..] {
        assert!(all.contains(error.set), "{all}");
    }
    assert!(!all.contains("present"), "{all}");
    assert!(words(vector::PAGE_FAULT, 0).contains("not present"));
    assert!(words(vector::PAGE_FAULT, 1 << 4).contains("instruction fetch"));
    assert!(words(vector::PAGE_FAULT, 1 << 3).contains("reserved bit"));
}

#[test]
fn selectors_in_words() {
    for vector in vector::INVALID_TSS..=vector::GENERAL_PROTECTION {
        assert_eq!(words(vector, 0), "error code 0x0: no selector is to blame");
        assert!(words(vector, 0x28).ends_with("TI=0 index=0x5\n    the GDT's entry 5"));
        assert!(words(vector, 0x2C).ends_with("the LDT's entry 5"));
        assert!(words(vector, 0x6B).ends_with("the IDT's entry 13, on an external event"));
    }
    assert!(words(vector::DOUBLE_FAULT, 0).ends_with("always 0"));
    // Bit 15 says that it was in an enclave.
    for (code, expected) in [
        (1, "RET to"),
        (2, "IRET"),
        (3, "ENDBRANCH"),
        (4, "RSTORSSP"),
        (5, "SETSSBSY"),
        (6, "unknown"),
    ] {
        let text = words(vector::CONTROL_PROTECTION, 1 << 15 | code);
        assert!(text.contains(expected), "{text}");
    }
    assert!(words(0, 0).ends_with("has none"));
    assert!(words(vector::VMM_COMMUNICATION, 0x72).ends_with("exit code of SVM"));
    assert!(words(vector::SECURITY, 1).ends_with("INIT, redirected"));
    assert_eq!(words(vector::SECURITY, 2), "error code 0x2");
}

/// Intel SDM vol. 3A, table 6-1; AMD APM vol. 2, 8.2, for vectors 28 to 30.
#[test]
fn exceptions_have_names() {
    let mnemonics = [
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "-", "#TS", "#NP", "#SS",
        "#GP", "#PF", "-", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP", "-", "-", "-", "-", "-", "-",
        "#HV", "#VC", "#SX", "-",
    ];
    for (vector, mnemonic) in (0..).zip(mnemonics) {
        assert_eq!(exception(vector).0, mnemonic, "{vector}");
    }
    assert_eq!(exception(9).1, "coprocessor segment overrun");
    assert_eq!(exception(14).1, "page fault");
    for reserved in [15, 22, 27, 31] {
        assert_eq!(exception(reserved).1, "reserved");
    }
    assert_eq!(exception(32).1, "unknown");
    assert_eq!(exception(u64::MAX).1, "unknown");
}

/// RISC-V privileged specification, table 12.2 "Supervisor cause register values".
#[test]
fn causes_have_names() {
    let names = [
        "instruction address misaligned",
        "instruction access fault",
        "illegal instruction",
        "breakpoint",
        "load address misaligned",
        "load access fault",
        "store address misaligned",
        "store access fault",
        "environment call from user code",
        "environment call from the kernel",
        "reserved",
        "reserved",
        "instruction page fault",
        "load page fault",
        "reserved",
        "store page fault",
        "reserved",
        "reserved",
        "software check",
        "hardware error",
        "reserved",
    ];
    for (number, name) in (0..).zip(names) {
        assert_eq!(riscv::exception(number), name, "{number}");
    }
    // The highest bit tells interrupts: of software, the timer and devices; 0 is reserved.
    for number in [0, 1, 5, 9] {
        assert_eq!(riscv::exception(1 << 63 | number), "interrupt", "{number}");
    }
}

//! Lookups find all that was built, and damage to the bytes does no harm.

use std::string::{String, ToString};
use std::vec::Vec;

use super::{Builder, CallFrame, Location, SourceFrame, SymbolTable};

const BASE: u64 = 0xFFFF_FFFF_F010_0000;

fn frame(function: &str, file: &str, line: u32) -> SourceFrame {
    SourceFrame { function: function.into(), file: file.into(), line }
}

/// Functions `first` (16 bytes) and `a::second` (0x2000 bytes), a hole, and the variable `third`.
fn table() -> Vec<u8> {
    let mut builder = Builder::new();
    builder.symbol(BASE + 0x3000, 8, "b::third");
    builder.symbol(BASE + 0x10, 0x2000, "a::second");
    builder.symbol(BASE, 16, "first");
    builder.row(BASE, Vec::from([frame("first", "one.rs", 7)]));
    builder.row(BASE + 3, Vec::from([frame("first", "one.rs", 3)]));
    for i in 0..300_u32 {
        let second = frame("a::second", "two.rs", 1000 + i);
        let place = match i % 3 {
            0 => Vec::from([second]),
            1 => Vec::from([frame("core::min", "lib/min.rs", 1), second]),
            _ => Vec::from([frame("core::lt", "cmp.rs", i), frame("min", "lib/min.rs", 2), second]),
        };
        builder.row(BASE + 0x10 + u64::from(i) * 8, place);
    }
    builder.row(BASE + 0x2010, Vec::new());
    builder.build().unwrap()
}

fn frames(table: &[u8], address: u64) -> Vec<String> {
    let table = SymbolTable::parse(table).unwrap();
    table
        .frames(address)
        .map(|CallFrame { function, location, inlined }| {
            let location = location.map_or("?".into(), |location| location.to_string());
            std::format!("{function} {location}{}", if inlined { " inlined" } else { "" })
        })
        .collect()
}

#[test]
fn every_row_is_found() {
    let table = table();
    assert_eq!(frames(&table, BASE), ["first one.rs:7"]);
    assert_eq!(frames(&table, BASE + 2), ["first one.rs:7"]);
    assert_eq!(frames(&table, BASE + 15), ["first one.rs:3"]);
    for i in 0..300 {
        let second = std::format!("a::second two.rs:{}", 1000 + i);
        let expected = match i % 3 {
            0 => Vec::from([second]),
            1 => Vec::from(["core::min lib/min.rs:1 inlined".into(), second]),
            _ => {
                let lt = std::format!("core::lt cmp.rs:{i} inlined");
                Vec::from([lt, "min lib/min.rs:2 inlined".into(), second])
            }
        };
        for byte in 0..8 {
            assert_eq!(frames(&table, BASE + 0x10 + i * 8 + byte), expected);
        }
    }
}

#[test]
fn what_is_not_known_has_no_frames() {
    let table = table();
    for address in [0, BASE - 1, BASE + 0x2010, BASE + 0x3008, u64::MAX] {
        assert_eq!(frames(&table, address), [""; 0], "{address:#x}");
    }
    // A symbol without rows still has its name.
    assert_eq!(frames(&table, BASE + 0x3007), ["b::third ?"]);
}

#[test]
fn symbols_are_found_by_name() {
    let bytes = table();
    let table = SymbolTable::parse(&bytes).unwrap();
    assert_eq!(table.find("first"), Some(BASE));
    assert_eq!(table.find("a::second"), Some(BASE + 0x10));
    assert_eq!(table.find("third"), Some(BASE + 0x3000));
    assert_eq!(table.find("fourth"), None);
    assert_eq!(table.symbols().len(), 3);
    let names: Vec<_> = table.symbols().map(|symbol| symbol.address - BASE).collect();
    assert_eq!(names, [0, 0x10, 0x3000]);
}

#[test]
fn a_symbol_is_a_name_at_an_address() {
    let mut builder = Builder::new();
    for (offset, name) in [(0, "one"), (0, "one"), (0, "another"), (8, "one")] {
        builder.symbol(BASE + offset, 4, name);
    }
    let bytes = builder.build().unwrap();
    let table = SymbolTable::parse(&bytes).unwrap();
    let symbols: Vec<_> =
        table.symbols().map(|symbol| (symbol.name, symbol.address - BASE)).collect();
    assert_eq!(symbols, [("another", 0), ("one", 0), ("one", 8)]);
}

/// Rows take some ten bytes, and what leads to them fast takes little more.
#[test]
fn a_table_is_small() {
    let size = table().len();
    assert!(size < 3500, "{size} bytes for 300 rows");
}

#[test]
fn room_behind_the_table_is_no_part_of_it() {
    let mut bytes = table();
    let size = bytes.len();
    bytes.resize(size + 999, 0xFF);
    assert_eq!(SymbolTable::parse(&bytes).unwrap().size(), size);
    assert_eq!(frames(&bytes, BASE), ["first one.rs:7"]);
}

#[test]
fn empty_room_is_no_table() {
    assert!(SymbolTable::parse(&[]).is_none());
    assert!(SymbolTable::parse(&[0; 4096]).is_none());
    let nothing = Builder::new().build().unwrap();
    let nothing = SymbolTable::parse(&nothing).unwrap();
    assert_eq!(nothing.frames(BASE).count() + nothing.symbols().count(), 0);
}

#[test]
fn damage_does_no_harm() {
    let good = table();
    let uses = |bytes: &[u8]| {
        let Some(table) = SymbolTable::parse(bytes) else { return 0 };
        let named = table.symbols().filter(|symbol| !symbol.name.is_empty()).count();
        let addresses = (BASE..BASE + 0x3010).step_by(0x3F);
        named + addresses.map(|address| table.frames(address).count()).sum::<usize>()
    };
    assert!(uses(&good) > 0);
    for at in 0..good.len() {
        uses(&good[..at]);
        for value in [0, 0x7F, 0x80, 0xFF] {
            let mut bad = good.clone();
            bad[at] = value;
            uses(&bad);
        }
    }
}

#[test]
fn what_is_too_far_is_refused() {
    let mut builder = Builder::new();
    builder.symbol(0x10_0000, 4, "low");
    builder.symbol(BASE, 4, "high");
    let error = builder.build().unwrap_err();
    assert!(error.to_string().contains("high"), "{error}");
}

#[test]
fn locations_read_as_compilers_write_them() {
    assert_eq!(Location { file: "a/b.rs", line: 12 }.to_string(), "a/b.rs:12");
}

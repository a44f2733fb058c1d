//! Archives of programs: found by name, and none that is cut or lies.

use libjos::env::archive::Archive;

/// A file of an archive: its header and its bytes.
fn file(name: &str, kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut header);
    header.extend(bytes);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

/// Writes the checksum of the header at the beginning of `file`.
fn seal(file: &mut [u8]) {
    file[148..156].fill(b' ');
    let sum: u32 = file[..512].iter().map(|byte| u32::from(*byte)).sum();
    file[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn archive(files: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = files.concat();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn names(archive: &Archive<'_>) -> Vec<String> {
    let mut names = Vec::new();
    archive.for_each_name(|name| names.push(name.to_string()));
    names
}

/// A good archive: `hello` of 700 bytes, a folder, `yield` of 512, an empty one, and another `hello`.
fn good() -> Vec<u8> {
    archive(&[
        file("hello", b'0', &[7; 700]),
        file("folder/", b'5', b""),
        file("yield", b'0', &[8; 512]),
        file("empty", b'0', b""),
        file("hello", b'0', b"another"),
    ])
}

#[test]
fn programs_are_found_by_their_names() {
    let bytes = good();
    let archive = Archive::new(&bytes).unwrap();
    assert_eq!(names(&archive), ["hello", "yield", "empty", "hello"]);
    assert_eq!(archive.find("hello"), Some(&[7; 700][..]), "the first of the name");
    assert_eq!(archive.find("yield"), Some(&[8; 512][..]));
    assert_eq!(archive.find("empty"), Some(&[][..]));
    for name in ["", "hell", "hello\0", "hello ", "Hello", "folder/", "folder", "yield/hello"] {
        assert_eq!(archive.find(name), None, "{name:?}");
    }
}

/// As `tar cf programs.tar -C folder .` writes them, or with a folder's name.
#[test]
fn programs_in_folders_have_their_own_names() {
    let bytes = archive(&[
        file("./", b'5', b""),
        file("./hello", b'0', b"here"),
        file("build/user/yield", b'0', b"deep"),
        file("build/hello", b'0', b"another"),
        file("./old/", b'0', b""), // a folder, as tar wrote them before there were types
    ]);
    let archive = Archive::new(&bytes).unwrap();
    assert_eq!(names(&archive), ["hello", "yield", "hello"]);
    assert_eq!(archive.find("hello"), Some(&b"here"[..]), "the first of the name");
    assert_eq!(archive.find("yield"), Some(&b"deep"[..]));
    for path in ["./hello", "build/user/yield", "user/yield", "build", ".", "old"] {
        assert_eq!(archive.find(path), None, "{path}");
    }
}

/// Zeros alone, as many as `tar` writes, are an archive of no files.
#[test]
fn an_archive_of_nothing() {
    let bytes = [0; 10240];
    assert_eq!(names(&Archive::new(&bytes).unwrap()), [""; 0]);
}

/// Whatever of it is missing, an archive is refused in words, and nothing panics.
#[test]
fn an_archive_that_is_cut() {
    let bytes = good();
    assert!(Archive::new(&bytes).is_ok());
    // The two blocks of zeros at the end are part of it.
    for length in 0..bytes.len() {
        let error = Archive::new(&bytes[..length]).expect_err("it is cut");
        let words = error.to_string();
        assert!(words.starts_with("this is no tar archive, or a damaged one: "), "{words}");
    }
}

/// A size that is no number, or larger than the archive.
#[test]
fn an_archive_that_lies() {
    let first = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut lying = file("hello", b'0', &[7; 700]);
        change(&mut lying);
        seal(&mut lying);
        archive(&[lying, file("yield", b'0', b"program")])
    };
    assert!(Archive::new(&first(&|_| {})).is_ok());
    for size in [
        *b"77777777777\0",
        *b"777777777777",
        *b"99999999999\0",
        *b"-0000000001\0",
        *b"00000100000\0",
        *b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
    ] {
        let lying = first(&|file| file[124..136].copy_from_slice(&size));
        assert!(Archive::new(&lying).is_err(), "{size:?}");
    }
    // A checksum that is wrong, and a header that is no header.
    let mut wrong = good();
    wrong[0] ^= 1;
    assert!(Archive::new(&wrong).is_err());
    assert!(Archive::new(&[b'x'; 4096]).is_err());
    // A smaller size hides the rest of the bytes; whatever then follows must be a header.
    let shorter = first(&|file| file[124..136].copy_from_slice(b"00000000100\0"));
    assert!(Archive::new(&shorter).is_err());
    // A name without an end has all its bytes; one that is no text is passed over.
    let long = first(&|file| file[..100].fill(b'a'));
    let found = names(&Archive::new(&long).unwrap());
    assert_eq!(found, [&"a".repeat(100), "yield"]);
    let no_text = first(&|file| file[..4].fill(0xFF));
    assert_eq!(names(&Archive::new(&no_text).unwrap()), ["yield"]);
}

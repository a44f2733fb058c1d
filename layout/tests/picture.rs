//! The drawings in the sources and in the README are what the table of regions draws, and the
//! table says of any address what it is for.

use layout::{Content, Jos32, Jos64, JosSv39, MemLayout, picture, region_of, regions};

/// The drawing in the opening comment of a source file.
fn drawn_in(source: &str) -> String {
    source
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .skip_while(|line| *line != "```text")
        .skip(1)
        .take_while(|line| *line != "```")
        .map(|line| format!("{line}\n"))
        .collect()
}

fn assert_drawn<L: MemLayout>(drawing: &str) {
    let rendered = picture::<L>().to_string();
    assert!(drawing == rendered, "{} should be drawn as\n{rendered}not as\n{drawing}", L::NAME);
}

#[test]
fn sources_show_the_map() {
    assert_drawn::<Jos64>(&drawn_in(include_str!("../src/jos64.rs")));
    assert_drawn::<Jos32>(&drawn_in(include_str!("../src/jos32.rs")));
    assert_drawn::<JosSv39>(&drawn_in(include_str!("../src/jossv39.rs")));
}

#[test]
fn readme_shows_the_map() {
    let readme = include_str!("../../README.md");
    let map = readme
        .split_once("## The map\n")
        .and_then(|(_, rest)| rest.split_once("```text\n"))
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(map, _)| map)
        .expect("README.md has a section `The map` with a drawing");
    assert_drawn::<Jos64>(map);
}

#[test]
fn drawings_fit_a_terminal_beside_their_comment_marks() {
    for drawing in [
        picture::<Jos64>().to_string(),
        picture::<Jos32>().to_string(),
        picture::<JosSv39>().to_string(),
    ] {
        assert!(drawing.lines().all(|line| line.len() <= 76), "too wide:\n{drawing}");
    }
}

fn names_and_edges<L: MemLayout>() {
    // Every boundary belongs to the region above it, its predecessor to the one below.
    for region in regions::<L>() {
        assert_eq!(region_of::<L>(region.base), Some(region));
        assert_eq!(region_of::<L>(region.last()), Some(region));
    }
    assert_eq!(region_of::<L>(L::KERNBASE).unwrap().content, Content::Window);
    assert_eq!(region_of::<L>(L::KSTACKTOP - 1).unwrap().content, Content::KernelStack);
    assert_eq!(region_of::<L>(L::KSTACK - 1).unwrap().content, Content::Invalid);
    assert_eq!(region_of::<L>(L::UPAGES).unwrap().content, Content::Pages);
    assert_eq!(region_of::<L>(L::UTOP - 1).unwrap().content, Content::Application);
    assert_eq!(region_of::<L>(0).unwrap().content, Content::Application);
}

#[test]
fn every_address_has_its_region() {
    names_and_edges::<Jos64>();
    names_and_edges::<Jos32>();
    names_and_edges::<JosSv39>();
    assert_eq!(region_of::<Jos64>(0x8000_0000_0000).unwrap().name, "non-canonical");
    assert_eq!(region_of::<Jos32>(1 << 32), None);
    assert_eq!(region_of::<JosSv39>(JosSv39::UVPT).unwrap().content, Content::Invalid);
}

#[test]
fn rounding() {
    assert_eq!(layout::page_round_down(0x1FFF), 0x1000);
    assert_eq!(layout::page_round_up(0x1001), Some(0x2000));
    assert_eq!(layout::page_round_up(0x1000), Some(0x1000));
    assert_eq!(layout::page_round_up(u64::MAX - 4094), None);
    assert_eq!(layout::round_up(1, 1 << 30), Some(1 << 30));
}

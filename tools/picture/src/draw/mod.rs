//! Shots as a single self-contained web page: it needs no network and no other file.
//!
//! The text is HTML, made here; the browser draws the frames from runs, which are far smaller than the
//! drawings (`script.js`). Pieces that several shots of a film share are in the page once.

mod sharing;
mod space;
mod sums;
mod text;
mod tree;

use std::collections::HashMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::shot::{Frames, Info, Owner, Shot, Space, State};

/// The page for these shots, of which there is at least one.
pub(crate) fn page(shots: &[Shot]) -> Result<Markup, serde_json::Error> {
    let mut pieces = Pieces::default();
    let drawn: Vec<_> = shots.iter().map(|shot| pieces.shot(shot)).collect();
    let names: Vec<_> = Owner::ALL.iter().map(|owner| owner.name()).collect();
    let data = json!({ "shots": drawn, "frames": pieces.frames, "owners": names });
    // Only `<` can end a script.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c");
    let (first, film) = (&shots[0], shots.len() > 1);
    let heading = if film { "JOS64: mem_init, step by step" } else { "JOS64: a picture of memory" };
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Without this a browser asks the server for an icon.
                link rel="icon" href="data:,";
                title { (heading) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (patterns())
                header {
                    h1 { (heading) }
                    p.machine {
                        (first.layout) " · " (first.format) ", " (first.levels) " levels of tables"
                    }
                    button #theme type="button" { "Light / dark" }
                }
                main {
                    @if film { (controls(shots)) }
                    div.stage {
                        section #caption { (caption(first)) }
                        section #memory aria-labelledby="memory-h" {
                            h2 #memory-h { "Physical memory" }
                            (grids())
                        }
                        section #sums aria-label="Whose the frames are" {
                            (sums::owners(&first.frames))
                        }
                    }
                    div #sharing { (sharing::draw(&first.sharing, first.va_bits)) }
                    div #spaces { (spaces(first)) }
                }
                @for (index, piece) in pieces.html.iter().enumerate() {
                    template id={ "piece" (index) } { (piece) }
                }
                script #data type="application/json" { (PreEscaped(data)) }
                script { (PreEscaped(include_str!("script.js"))) }
            }
        }
    })
}

/// Parts of shots, each kept once.
#[derive(Default)]
struct Pieces {
    html: Vec<Markup>,
    html_known: HashMap<String, usize>,
    frames: Vec<Value>,
    frames_known: HashMap<String, usize>,
}

impl Pieces {
    /// The parts of a shot, by number.
    fn shot(&mut self, shot: &Shot) -> Value {
        json!({
            "title": shot.title,
            "frames": self.frames(shot),
            "caption": self.piece(caption(shot)),
            "sums": self.piece(sums::owners(&shot.frames)),
            "sharing": self.piece(sharing::draw(&shot.sharing, shot.va_bits)),
            "spaces": self.piece(spaces(shot)),
        })
    }

    fn piece(&mut self, piece: Markup) -> usize {
        *self.html_known.entry(piece.0.clone()).or_insert_with(|| {
            self.html.push(piece);
            self.html.len() - 1
        })
    }

    fn frames(&mut self, shot: &Shot) -> usize {
        let frames = frames(shot);
        *self.frames_known.entry(frames.to_string()).or_insert_with(|| {
            self.frames.push(frames);
            self.frames.len() - 1
        })
    }
}

/// The data about the frames for `script.js`.
fn frames(shot: &Shot) -> Value {
    let Frames { base, runs } = &shot.frames;
    let mut details: Vec<&str> = Vec::new();
    let runs: Vec<_> = runs
        .iter()
        .map(|run| {
            let detail = details.iter().position(|known| **known == run.detail);
            let detail = detail.unwrap_or_else(|| {
                details.push(&run.detail);
                details.len() - 1
            });
            let owner = Owner::ALL.iter().position(|owner| *owner == run.owner);
            let (state, pp_ref) = match run.info {
                None => (0, 0),
                Some(Info { state: State::Free, pp_ref }) => (1, pp_ref),
                Some(Info { state: State::InUse, pp_ref }) => (2, pp_ref),
                Some(Info { state: State::Reserved, pp_ref }) => (3, pp_ref),
            };
            json!([run.count, owner, detail, state, pp_ref])
        })
        .collect();
    let maps = shot.spaces.first().map_or_else(Vec::new, mapped);
    let space = shot.spaces.first().map_or("", |space| &space.name);
    let envs: Vec<_> = shot
        .spaces
        .iter()
        .filter(|space| space.name.starts_with("environment"))
        .map(|space| json!([space.name, mapped(space)]))
        .collect();
    json!({
        "base": base, "runs": runs, "details": details, "maps": maps, "space": space, "envs": envs,
    })
}

/// The pages that a space maps, for `script.js`.
fn mapped(space: &Space) -> Vec<Value> {
    let runs = space.regions.iter().flat_map(|region| &region.runs);
    // JavaScript's numbers cannot hold every virtual address.
    runs.map(|run| json!([format!("{:#x}", run.va), run.pa, run.size(), run.perm])).collect()
}

/// The slider of a film, and its steps by name.
fn controls(shots: &[Shot]) -> Markup {
    html! {
        nav.film aria-label="Steps" {
            div.transport {
                button #back type="button" aria-label="Step back" { "◀" }
                button #play type="button" aria-pressed="false" { "Play" }
                button #next type="button" aria-label="Next step" { "▶" }
                input #step type="range" min="0" max=(shots.len() - 1) value="0" aria-label="Step";
                output #where for="step" { "1 of " (shots.len()) }
            }
            ol.steps {
                @for (index, shot) in shots.iter().enumerate() {
                    li { button type="button" data-step=(index) { (shot.title) } }
                }
            }
        }
    }
}

fn caption(shot: &Shot) -> Markup {
    html! {
        h2.step { (shot.title) }
        @if !shot.said.is_empty() {
            ul.said { @for line in &shot.said { li { (text::prose(line)) } } }
        }
    }
}

/// The elements in which the frames are drawn.
fn grids() -> Markup {
    html! {
        noscript { p { "The frames are drawn by JavaScript, which is off here." } }
        p.hint #overview-hint {}
        svg #overview.grid preserveAspectRatio="none" role="application" tabindex="0"
            aria-label="All frames. Arrow keys move from frame to frame." {}
        p.hint #closeup-hint {}
        svg #closeup.grid role="application" tabindex="0"
            aria-label="Some frames, enlarged. Arrow keys move from frame to frame." {}
        p #frame role="status" { "Point at a frame, or focus the grid and use the arrow keys." }
    }
}

/// The address spaces of a shot, each with its tables.
fn spaces(shot: &Shot) -> Markup {
    html! {
        @for (index, space) in shot.spaces.iter().enumerate() {
            details.directory open[index == 0] data-key=(space.name) {
                summary {
                    h2 { (space.name) }
                    span.note {
                        @if space.in_use { "in use, at " } @else { "not in use, at " }
                        code { (format!("{:#x}", space.root.pa)) }
                    }
                }
                (text::letters(&shot.note))
                div.columns {
                    section { h3 { "Address space" } (space::draw(space, shot.va_bits)) }
                    section {
                        h3 { "Page tables" }
                        (tree::draw(space, shot.va_bits))
                        h3 { "Sums" }
                        (sums::mapped(space))
                    }
                }
            }
        }
        @if shot.spaces.is_empty() { p { "Paging is off: every address is physical." } }
    }
}

/// The fillings of all drawings: a colour and a pattern for each owner and each permission, so
/// that colour alone never carries a meaning.
fn patterns() -> Markup {
    let lines = |path: &str| html! { path.mark d=(path) {} };
    let dot = html! { circle.dot cx="4" cy="4" r="1.6" {} };
    let fillings = [
        ("o0", lines("M-2 2l4 -4M0 8l8 -8M6 10l4 -4")),
        ("o1", lines("M0 8l8 -8M-2 2l4 -4M6 10l4 -4M0 0l8 8")),
        ("o2", dot.clone()),
        ("o3", lines("M0 4h8M4 0v8")),
        ("o4", lines("M0 2h8M0 6h8")),
        ("o5", lines("M2 0v8M6 0v8")),
        ("o6", lines("M-2 6l4 4M0 0l8 8M6 -2l4 4")),
        ("o7", html! { rect.dot x="2" y="2" width="4" height="4" {} }),
        ("o8", html! { circle.dot cx="4" cy="4" r="2.4" {} }),
        ("o9", lines("M0 0l4 4l4 -4M0 4l4 4l4 -4")),
        ("o10", lines("M0 0l8 8M-2 6l4 4M6 -2l4 4")),
        ("o11", html! {}),
        ("o12", html! { circle.dot cx="4" cy="4" r="1" {} }),
        ("ro", html! {}),
        ("rw", dot),
        ("rx", lines("M-2 2l4 -4M0 8l8 -8M6 10l4 -4")),
        ("wx", lines("M0 0l8 8M0 8l8 -8")),
        ("hole", lines("M0 0l8 8M-2 6l4 4M6 -2l4 4")),
    ];
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" {
            defs {
                @for (name, marks) in &fillings {
                    pattern id={ "f-" (name) } class={ "f-" (name) } width="8" height="8"
                        patternUnits="userSpaceOnUse" {
                        rect.ground width="8" height="8" {}
                        (marks)
                    }
                }
            }
        }
    }
}

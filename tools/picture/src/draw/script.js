// Draws the frames of the shots in #data, and changes from shot to shot.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const CLOSE = 1024; // frames in the close-up: 4 MB
  const MOST_CELLS = 65536; // of the overview; with more frames a cell stands for several
  const FREE = 11, UNACCOUNTED = 12; // owners that give way if a cell stands for several frames
  const STATES = ["", "free", "in use", "reserved"];
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);

  let shot = -1; // the one that is shown
  let frames; // its frames
  let starts; // the first frame of each run
  let count; // frames
  let changed = []; // runs [first, end) of frames whose owner or count the step changed
  let close = 0; // the first frame of the close-up
  let cursor = null; // the frame that is pointed at

  const hex = (number) => "0x" + number.toString(16);
  const grouped = (number) => number.toLocaleString("en");
  const bytes = (number) => {
    for (const [unit, name] of [[2 ** 30, "GB"], [2 ** 20, "MB"]]) {
      if (number >= unit && number % unit === 0) return grouped(number / unit) + " " + name;
    }
    return grouped(number / 1024) + " KB";
  };

  function element(name, attributes, parent) {
    const made = document.createElementNS(SVG, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    parent.append(made);
    return made;
  }

  // The index of the run that a frame is in.
  function runOf(frame) {
    let low = 0, high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= frame) low = middle; else high = middle - 1;
    }
    return low;
  }

  // The cells [first, end) of a grid of `columns` as at most three rectangles.
  function rectangles(first, end, columns) {
    let path = "";
    const add = (x, y, width, height) => { path += `M${x} ${y}h${width}v${height}h${-width}z`; };
    let row = Math.floor(first / columns);
    const last = Math.floor((end - 1) / columns);
    if (row === last) { add(first % columns, row, end - first, 1); return path; }
    if (first % columns) { add(first % columns, row, columns - (first % columns), 1); row++; }
    const whole = Math.floor(end / columns) - row;
    if (whole > 0) { add(0, row, columns, whole); row += whole; }
    if (end % columns) add(0, row, end % columns, 1);
    return path;
  }

  // Owners by cell, where a cell stands for `per` frames: [first cell, end, owner].
  function cells(first, end, per) {
    const runs = [];
    const add = (start, stop, owner) => {
      const last = runs[runs.length - 1];
      if (last && last[2] === owner && last[1] === start) last[1] = stop;
      else if (last && start < last[1]) {
        // The cell has an owner already; a free one gives way to any other.
        if (last[2] === FREE || last[2] === UNACCOUNTED) {
          if (last[0] === last[1] - 1) runs.pop(); else last[1]--;
          add(start, stop, owner);
        } else if (stop > last[1]) add(last[1], stop, owner);
      } else runs.push([start, stop, owner]);
    };
    for (let run = runOf(first); run < starts.length && starts[run] < end; run++) {
      const start = Math.max(starts[run], first) - first;
      const stop = Math.min(starts[run] + frames.runs[run][0], end) - first;
      add(Math.floor(start / per), Math.ceil(stop / per), frames.runs[run][1]);
    }
    return runs;
  }

  // A grid: its svg, the frame that it begins with, frames a cell, columns.
  function grid(id, first, end, per, columns, size, filled) {
    const svg = $(id);
    const number = Math.ceil((end - first) / per);
    const rows = Math.max(1, Math.ceil(number / columns));
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${columns * size} ${rows * size}`);
    const paths = new Map();
    for (const [start, stop, owner] of cells(first, end, per)) {
      paths.set(owner, (paths.get(owner) || "") + rectangles(start, stop, columns));
    }
    // The frames are drawn in units of cells; patterns need the units of the page.
    const scaled = (path) => path.replace(/-?\d+/g, (digits) => digits * size);
    for (const [owner, path] of paths) {
      element("path", { d: scaled(path), class: "frames", "data-owner": owner,
        style: filled ? `fill:url(#f-o${owner})` : `fill:var(--o${owner})` }, svg);
    }
    if (filled) {
      let lines = "";
      for (let x = 1; x < columns; x++) lines += `M${x * size} 0v${rows * size}`;
      for (let y = 1; y < rows; y++) lines += `M0 ${y * size}h${columns * size}`;
      element("path", { d: lines, class: "lines" }, svg);
    }
    let marked = "";
    for (const [start, stop] of changed) {
      const from = Math.max(start, first), to = Math.min(stop, end);
      if (from < to) {
        marked += rectangles(Math.floor((from - first) / per), Math.ceil((to - first) / per), columns);
      }
    }
    if (marked) element("path", { d: scaled(marked), class: "changed" }, svg);
    svg.geometry = { first, end, per, columns, size };
    return svg;
  }

  const outline = (svg, name, first, end) => {
    const { first: base, end: limit, per, columns, size } = svg.geometry;
    svg.querySelector("." + name)?.remove();
    const from = Math.max(first, base), to = Math.min(end, limit);
    if (from >= to) return;
    const path = rectangles(Math.floor((from - base) / per), Math.ceil((to - base) / per), columns);
    element("path", { d: path.replace(/-?\d+/g, (digits) => digits * size), class: name }, svg);
  };

  // Marks the enlarged rows of the overview, at both sides, since an outline would hide their cells.
  function mark(first, end) {
    const svg = $("overview"), { per, columns, size } = svg.geometry;
    svg.querySelector(".window")?.remove();
    const top = Math.floor(first / per / columns) * size, bottom = Math.ceil(end / per / columns) * size;
    const width = columns * size, beside = width * 0.008;
    const d = [-beside, width + beside].map((x) => `M${x} ${top}V${bottom}`).join("");
    element("path", { d, class: "window" }, svg);
  }

  function draw() {
    const wide = document.documentElement.clientWidth > 640;
    const per = 2 ** Math.max(0, Math.ceil(Math.log2(count / MOST_CELLS)));
    const all = Math.ceil(count / per);
    const columns = 2 ** Math.ceil(Math.log2(Math.sqrt(all * (wide ? 4 : 1))));
    grid("overview", 0, count, per, columns, 4, false);
    $("overview-hint").textContent = `All ${grouped(count)} frames from ${hex(frames.base)}: a cell is ` +
      (per === 1 ? "one frame" : `${per} frames, in the colour of one that is not free`) +
      `, a row ${bytes(columns * per * 4096)}.`;
    drawClose();
  }

  function drawClose() {
    const wide = document.documentElement.clientWidth > 640;
    const end = Math.min(count, close + CLOSE);
    const svg = grid("closeup", close, end, 1, wide ? 64 : 32, 16, true);
    const first = frames.base + close * 4096;
    $("closeup-hint").textContent = `Enlarged: ${bytes((end - close) * 4096)} from ${hex(first)}, a row ` +
      `${bytes(svg.geometry.columns * 4096)}. Click above to enlarge another part.`;
    mark(close, end);
    if (cursor !== null) point(cursor);
  }

  // Describes a frame, and marks it.
  function point(frame) {
    cursor = frame;
    outline($("overview"), "cursor", frame, frame + 1);
    outline($("closeup"), "cursor", frame, frame + 1);
    $("frame").replaceChildren(...describe(frame));
  }

  function code(text) {
    const made = document.createElement("code");
    made.textContent = text;
    return made;
  }

  // The description of a frame, as text and elements.
  function describe(frame) {
    const pa = frames.base + frame * 4096;
    const [, owner, detail, state, references] = frames.runs[runOf(frame)];
    let text = `Frame ${grouped(frame)} at ${hex(pa)}: ${data.owners[owner]}`;
    if (frames.details[detail]) text += ` (${frames.details[detail]})`;
    text += state ? `; ${STATES[state]}, pp_ref ${references}` : "; no PageInfo says anything of it yet";
    if (!frames.space) return [text + "."];
    const said = [];
    for (const [space, maps] of [[frames.space, frames.maps], ...frames.envs]) {
      let joint = said.length ? `; ${space} at ` : `${text}; ${space} maps it at `;
      for (const [va, start, size, perm] of maps) {
        if (pa < start || pa >= start + size) continue;
        said.push(joint, code(hex(BigInt(va) + BigInt(pa - start))), " ", code(perm));
        joint = " and ";
      }
    }
    return said.length ? [...said, "."] : [`${text}; not mapped by ${frames.space}.`];
  }

  // The frame under the pointer; null outside of the grid.
  function under(svg, event) {
    const { first, end, per, columns, size } = svg.geometry;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const x = Math.floor(at.x / size), y = Math.floor(at.y / size);
    const frame = first + (y * columns + x) * per;
    return x >= 0 && x < columns && y >= 0 && frame >= first && frame < end ? frame : null;
  }

  function moveClose(frame) {
    const step = CLOSE / 2;
    close = Math.max(0, Math.min(Math.floor(frame / step) * step, Math.ceil((count - CLOSE) / step) * step));
    drawClose();
  }

  for (const id of ["overview", "closeup"]) {
    const svg = $(id);
    const move = (event) => {
      const frame = under(svg, event);
      if (frame !== null) point(frame);
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", (event) => {
      move(event);
      if (id === "overview" && cursor !== null) moveClose(cursor);
    });
    svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) point(cursor ?? close); });
    svg.addEventListener("keydown", (event) => {
      const { per, columns } = svg.geometry;
      const steps = { ArrowLeft: -per, ArrowRight: per, ArrowUp: -columns * per, ArrowDown: columns * per };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      const frame = Math.max(0, Math.min(count - 1, (cursor ?? close) + step));
      if (frame < close || frame >= close + CLOSE) { cursor = frame; moveClose(frame); }
      point(frame);
    });
  }

  // Runs of frames that differ between two shots.
  function differences(before, after) {
    const key = (shot, run) => shot.runs[run].slice(1).join() + shot.details[shot.runs[run][2]];
    const found = [];
    let a = 0, b = 0, at = 0, endA = before.runs[0]?.[0], endB = after.runs[0]?.[0];
    while (a < before.runs.length && b < after.runs.length) {
      const end = Math.min(endA, endB);
      const [, owner, , state, references] = before.runs[a], next = after.runs[b];
      if (owner !== next[1] || state !== next[3] || references !== next[4]) {
        const last = found[found.length - 1];
        if (last && last[1] === at) last[1] = end; else found.push([at, end]);
      }
      at = end;
      if (endA === end) endA += before.runs[++a]?.[0];
      if (endB === end) endB += after.runs[++b]?.[0];
    }
    return found;
  }

  const keys = (where) => new Set([...where.querySelectorAll("[data-key]")].map((row) => row.dataset.key));

  // Puts a piece of a shot in its place. Opened elements stay open.
  function put(id, number) {
    const place = $(id), piece = $("piece" + number).content.cloneNode(true);
    const open = new Map();
    for (const row of place.querySelectorAll("details")) open.set(row.dataset.key, row.open);
    for (const row of piece.querySelectorAll("details")) {
      if (open.has(row.dataset.key)) row.open = open.get(row.dataset.key);
    }
    place.replaceChildren(piece);
  }

  function show(number) {
    number = Math.max(0, Math.min(data.shots.length - 1, number));
    if (number === shot) return;
    shot = number;
    const { caption, sums, sharing, spaces, frames: index } = data.shots[shot];
    const before = shot > 0 ? data.shots[shot - 1] : null;
    frames = data.frames[index];
    starts = [];
    count = 0;
    for (const run of frames.runs) { starts.push(count); count += run[0]; }
    changed = before && before.frames !== index ? differences(data.frames[before.frames], frames) : [];
    put("caption", caption);
    put("sums", sums);
    put("sharing", sharing);
    put("spaces", spaces);
    if (before && before.spaces !== spaces) {
      const old = keys($("piece" + before.spaces).content);
      for (const row of $("spaces").querySelectorAll("[data-key]")) {
        row.classList.toggle("new", !old.has(row.dataset.key));
      }
    }
    draw();
    if (data.shots.length > 1) {
      $("step").value = shot;
      $("step").setAttribute("aria-valuetext", data.shots[shot].title);
      $("where").textContent = `${shot + 1} of ${data.shots.length}`;
      for (const button of document.querySelectorAll("[data-step]")) {
        if (Number(button.dataset.step) !== shot) { button.removeAttribute("aria-current"); continue; }
        button.setAttribute("aria-current", "step");
        // On a narrow screen the steps are one long row.
        const row = button.closest(".steps");
        row.scrollLeft = button.offsetLeft - row.offsetLeft - row.clientWidth / 2;
      }
      history.replaceState(null, "", "#" + (shot + 1));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.step) show(Number(button.dataset.step));
    if (button.dataset.owner) {
      // This owner's next run after the one that is pointed at; after the last, the first.
      const owner = Number(button.dataset.owner);
      const runs = frames.runs.map((run, index) => index).filter((index) => frames.runs[index][1] === owner);
      const next = runs.find((index) => cursor !== null && starts[index] > cursor) ?? runs[0];
      cursor = starts[next];
      moveClose(cursor);
    }
    for (const [name, open] of [["open", true], ["close", false]]) {
      if (!button.classList.contains(name)) continue;
      const tree = button.closest("section").querySelectorAll("details.entry");
      for (const row of tree) row.open = open;
    }
  });

  if (data.shots.length > 1) {
    let timer = null;
    const play = (on) => {
      clearInterval(timer);
      const step = () => { if (shot + 1 < data.shots.length) show(shot + 1); else play(false); };
      timer = on ? setInterval(step, 1500) : null;
      $("play").setAttribute("aria-pressed", on);
      $("play").textContent = on ? "Pause" : "Play";
    };
    $("step").addEventListener("input", (event) => show(Number(event.target.value)));
    $("back").addEventListener("click", () => show(shot - 1));
    $("next").addEventListener("click", () => show(shot + 1));
    $("play").addEventListener("click", () => {
      if (timer === null && shot + 1 === data.shots.length) show(0);
      play(timer === null);
    });
    window.addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
  }

  const dark = () => (document.documentElement.dataset.theme ||
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
  });

  let width = document.documentElement.clientWidth > 640;
  window.addEventListener("resize", () => {
    const now = document.documentElement.clientWidth > 640;
    if (now !== width) { width = now; draw(); }
  });

  show(Number(location.hash.slice(1)) - 1 || 0);
})();

"use strict";
// Draws what the stream sends: two bits a pixel for events, JSON for everything else. The socket is told after each
// picture that the next one may come, so that a slow page skips windows instead of falling behind.

const $ = (id) => document.getElementById(id);
const POINTS = 300;
const view = { about: null, last: null, seq: null, lut: null, paused: false, shown: 0, missed: 0, rates: [], latencies: [], stamps: [] };
window.view = view; // for those who look at the page with a program

function rgba([r, g, b]) { return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0; }

function begin(about) {
  view.about = about;
  const [height, width] = about.sensor_size;
  $("events").width = width;
  $("events").height = height;
  view.context = $("events").getContext("2d", { alpha: false });
  view.image = view.context.createImageData(width, height);
  view.pixels = new Uint32Array(view.image.data.buffer);
  $("palette").replaceChildren(...Object.keys(about.palettes).map((name) => new Option(name)));
  $("source").textContent = about.source;
  $("synthetic").hidden = !about.synthetic;
  document.title = `${about.source} – eventdet live`;
  choosePalette();
  $("state").textContent = "waiting for events";
}

function choosePalette() {
  const palette = view.about.palettes[$("palette").value];
  const [none, off, on] = [palette.background, palette.off, palette.on].map(rgba);
  view.lut = [none, off, on, on];
  view.colours = palette.class_colours.map((colour) => `rgb(${colour})`);
  redraw();
}

function receive(data) {
  const length = new DataView(data).getUint32(0, true);
  const record = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  if (record.type === "summary") {
    $("state").textContent = `ended after ${record.n_windows} windows`;
    return;
  }
  if (view.seq !== null) view.missed += Math.max(0, record.seq - view.seq - 1);
  view.seq = record.seq;
  note(record);
  if (view.paused) return;
  view.last = { record, packed: new Uint8Array(data, 4 + length) };
  view.shown += 1;
  redraw();
  facts();
  $("state").textContent = "live";
}

function redraw() {
  if (!view.last) return;
  const { packed } = view.last;
  const { pixels, lut } = view;
  for (let i = 0, j = 0; i < packed.length; i += 1) {
    const four = packed[i];
    pixels[j++] = lut[four & 3];
    pixels[j++] = lut[(four >> 2) & 3];
    pixels[j++] = lut[(four >> 4) & 3];
    pixels[j++] = lut[four >> 6];
  }
  view.context.putImageData(view.image, 0, 0);
  drawBoxes();
}

// Boxes lie on a canvas of screen pixels: on that of the sensor, lines and letters would be blocks.
function drawBoxes() {
  if (!view.last) return;
  const { record } = view.last;
  const overlay = $("overlay");
  const ratio = window.devicePixelRatio || 1;
  overlay.width = Math.round(overlay.clientWidth * ratio);
  overlay.height = Math.round(overlay.clientHeight * ratio);
  const context = overlay.getContext("2d");
  context.scale(ratio, ratio);
  if (!$("boxes").checked) return;
  const scale = overlay.clientWidth / $("events").width;
  const taken = [];
  const least = Number($("score").value);
  context.font = "600 13px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const box of [...record.boxes].sort((a, b) => b.score - a.score)) {
    if (box.score < least) continue;
    const [x, y, width, height] = box.xywh.map((value) => value * scale);
    context.strokeStyle = view.colours[box.class_id % view.colours.length];
    context.lineWidth = 2;
    context.setLineDash(box.predicted ? [3, 4] : box.class_id % 2 ? [8, 3] : []);
    context.strokeRect(x, y, width, height);
    if ($("tags").checked) drawTag(context, box, [x, y, width, height], taken, overlay.clientWidth);
  }
}

function drawTag(context, box, [x, y, , height], taken, stageWidth) {
  const track = box.track_id === null || box.track_id === undefined ? "" : ` #${box.track_id}`;
  const text = `${box.name ?? `class ${box.class_id}`} ${box.score.toFixed(2)}${track}`;
  const [wide, high] = [context.measureText(text).width + 8, 17];
  const left = Math.max(0, Math.min(x, stageWidth - wide));
  const rows = [y - high, y + height, y, y - 2 * high, y + height + high].filter((top) => top >= 0);
  const isFree = (top) => !taken.some((tag) => left < tag[0] + tag[2] && tag[0] < left + wide && top < tag[1] + high && tag[1] < top + high);
  const top = rows.find(isFree);
  if (top === undefined) return; // its box is there; letters over letters would say nothing
  taken.push([left, top, wide]);
  context.fillStyle = context.strokeStyle;
  context.fillRect(left, top, wide, high);
  context.fillStyle = "#0c0f16";
  context.fillText(text, left + 4, top + high / 2);
}

function note(record) {
  const rate = record.n_events / Math.max(1e-6, (record.t_us - record.t0_us) / 1e6);
  push(view.rates, rate);
  push(view.latencies, record.latency_ms.total || 0);
  push(view.stamps, performance.now());
  plot($("rate"), view.rates);
  plot($("latency"), view.latencies);
  const rateText = (value) => (value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : `${(value / 1e3).toFixed(1)} k`);
  $("rate-now").textContent = lastAndMost(view.rates, rateText);
  $("latency-now").textContent = lastAndMost(view.latencies, (value) => `${value.toFixed(1)} ms`);
}

// A curve without an axis needs its height in words.
function lastAndMost(values, text) {
  return `${text(values[values.length - 1])}, at most ${text(Math.max(...values))}`;
}

function push(values, value) {
  values.push(value);
  if (values.length > POINTS) values.shift();
}

function plot(canvas, values) {
  const context = canvas.getContext("2d");
  const top = Math.max(...values, 1e-9);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = "#5aa9ff";
  context.lineWidth = 1.5;
  context.beginPath();
  values.forEach((value, index) => context.lineTo(index, canvas.height - 4 - (canvas.height - 8) * (value / top)));
  context.stroke();
}

function facts() {
  const { record } = view.last;
  const recent = view.stamps.slice(-30);
  const rate = recent.length > 1 ? (1000 * (recent.length - 1)) / (recent[recent.length - 1] - recent[0]) : 0;
  const rows = [
    ["time", `${(record.t_us / 1e6).toFixed(3)} s`],
    ["events", record.n_events.toLocaleString("en")],
    ["boxes", record.boxes.length],
    ["pictures a second", rate.toFixed(1)],
    ["windows not shown", view.missed],
    ["windows skipped", record.dropped || 0],
    ["window", windowText(view.about)],
    ["detector", view.about.model],
    ["weights", (view.about.weights_hash || "none").slice(0, 12)],
    ["state", view.about.state],
  ];
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => {
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
}

function windowText({ window_us, stride_us, window_events, stride_events, rules }) {
  if (!window_events) return `${window_us / 1000} ms every ${stride_us / 1000} ms`;
  const count = (number) => `${number.toLocaleString("en")} events`;
  const time = rules.includes("windows of any length") ? "" : ` or ${window_us / 1000} ms`;
  return count(window_events) + time + (stride_events === window_events ? "" : ` every ${count(stride_events)}`);
}

function pause() {
  view.paused = !view.paused;
  $("pause").setAttribute("aria-pressed", String(view.paused));
  $("pause").textContent = view.paused ? "Go on" : "Pause";
  if (view.paused) $("state").textContent = "paused";
}

function connect() {
  const token = new URLSearchParams(location.search).get("token");
  const socket = new WebSocket(`ws://${location.host}/stream?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (message) => {
    if (typeof message.data === "string") begin(JSON.parse(message.data));
    else {
      receive(message.data);
      socket.send("next");
    }
  };
  socket.onclose = (event) => {
    if (!$("state").textContent.startsWith("ended")) $("state").textContent = `the stream is gone (${event.code})`;
  };
}

$("palette").addEventListener("change", choosePalette);
$("pause").addEventListener("click", pause);
for (const id of ["boxes", "tags", "score"]) {
  $(id).addEventListener("input", () => {
    $("least").textContent = Number($("score").value).toFixed(2);
    drawBoxes();
  });
}
window.addEventListener("resize", drawBoxes);
document.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target === document.body) { event.preventDefault(); pause(); }
});
connect();

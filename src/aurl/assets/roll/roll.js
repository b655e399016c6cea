"use strict";
// A score drawn as a piano roll and played by oscillators. Notes: [seconds, seconds long, pitch, velocity, track].
const score = JSON.parse(document.getElementById("score").textContent);
const [view, inside, canvas, button, zoom, clock] =
  ["view", "inside", "roll", "play", "zoom", "time"].map((id) => document.getElementById(id));
const pen = canvas.getContext("2d");
const end = score.seconds;
const TOP = 34, BOTTOM = 18, AHEAD = 0.3, FAMILIES = {
  pluck: ["triangle", 0.004, 1.2], organ: ["square", 0.02, 0],
  string: ["sawtooth", 0.06, 0], wind: ["triangle", 0.03, 0],
};
let sound = null, voices = [], next = 0, playing = false, from = 0, started = 0, timer = 0;
const muted = new Set();

const position = () => playing ? Math.min(end, from + Math.max(0, sound.currentTime - started)) : from;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const written = (seconds) => Math.floor(seconds / 60) + ":" + String(Math.floor(seconds % 60)).padStart(2, "0");

function family(program) {
  const plucked = [[0, 16], [24, 40], [45, 47], [104, 120]];
  if (plucked.some(([first, last]) => first <= program && program < last)) return FAMILIES.pluck;
  if (program < 24) return FAMILIES.organ;
  return program < 56 || program >= 80 ? FAMILIES.string : FAMILIES.wind;
}

function prepareSound() {
  if (sound) return;
  sound = new AudioContext();
  const limit = sound.createDynamicsCompressor();
  limit.connect(sound.destination);
  sound.out = limit;
  sound.noise = sound.createBuffer(1, sound.sampleRate * 0.4, sound.sampleRate);
  const samples = sound.noise.getChannelData(0);
  for (let i = 0, seed = 1; i < samples.length; i++) {
    seed = (seed * 16807) % 2147483647;
    samples[i] = seed / 1073741824 - 1;
  }
}

function strike([, length, pitch, velocity, track], when) {
  const { program, drum } = score.tracks[track];
  const loud = 0.22 * (velocity / 127) ** 2;
  const gain = sound.createGain(), filter = sound.createBiquadFilter();
  let source, silent;
  if (drum) {
    source = sound.createBufferSource();
    source.buffer = sound.noise;
    filter.type = pitch < 42 ? "lowpass" : "highpass";
    filter.frequency.value = pitch < 37 ? 160 : pitch < 42 ? 2400 : 6000;
    gain.gain.setValueAtTime(loud * (pitch < 37 ? 6 : 1.5), when);
    gain.gain.exponentialRampToValueAtTime(0.0001, when + (pitch < 42 ? 0.18 : 0.09));
    silent = when + 0.3;
  } else {
    const [shape, attack, decay] = family(program);
    const stop = when + Math.max(length, 0.05);
    source = sound.createOscillator();
    source.type = shape;
    source.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    filter.type = "lowpass";
    filter.frequency.value = Math.min(9000, 900 + 12 * velocity + 4 * source.frequency.value);
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(decay ? loud : loud * 0.5, when + attack);
    if (decay) gain.gain.setTargetAtTime(loud * 0.08, when + attack, decay * 60 / pitch / 2);
    gain.gain.setTargetAtTime(0, stop, 0.05);
    silent = stop + 0.4;
  }
  source.connect(filter).connect(gain).connect(sound.out);
  source.start(when);
  source.stop(silent);
  source.onended = () => voices = voices.filter((voice) => voice !== source);
  voices.push(source);
}

function schedule() {
  const now = position();
  for (; next < score.notes.length && score.notes[next][0] < now + AHEAD; next++) {
    const note = score.notes[next];
    if (!muted.has(note[4])) strike(note, Math.max(sound.currentTime, started + note[0] - from));
  }
  if (now >= end) { pause(); from = 0; }
}

function play() {
  prepareSound();
  sound.resume();
  if (from >= end) from = 0;
  started = sound.currentTime + 0.05;
  next = score.notes.findIndex((note) => note[0] >= from - 0.001);
  if (next < 0) next = score.notes.length;
  playing = true;
  button.textContent = "Pause";
  timer = setInterval(schedule, 60);
  schedule();
  requestAnimationFrame(frame);
}

function pause() {
  from = position();
  playing = false;
  clearInterval(timer);
  voices.forEach((voice) => voice.stop());
  voices = [];
  button.textContent = "Play";
  draw();
}

function seek(seconds) {
  const resume = playing;
  if (playing) pause();
  from = Math.min(end, Math.max(0, seconds));
  if (resume) play(); else draw();
}

function frame() {
  if (!playing) return;
  const x = position() * zoom.value;
  if (x < view.scrollLeft || x > view.scrollLeft + view.clientWidth * 0.9) view.scrollLeft = x - view.clientWidth * 0.1;
  draw();
  requestAnimationFrame(frame);
}

function drawGrid(x, y, row, width, height) {
  for (let pitch = score.low; pitch <= score.high; pitch++) {
    if ([1, 3, 6, 8, 10].includes(pitch % 12)) {
      pen.fillStyle = colour("--black-key");
      pen.fillRect(0, y(pitch), width, row);
    }
    if (pitch % 12 === 0) {
      pen.fillStyle = colour("--line");
      pen.fillRect(0, y(pitch) + row, width, 1);
      pen.fillStyle = colour("--faint");
      pen.fillText("C" + (pitch / 12 - 1), 2, y(pitch) + row - 1);
    }
  }
  pen.fillStyle = colour("--line");
  for (const bar of score.bars) pen.fillRect(x(bar), TOP, 1, height - TOP - BOTTOM);
}

function drawLabels(x, height) {
  const last = { chord: -99, key: -99, section: -99 };
  for (const [seconds, kind, text] of score.labels) {
    if (x(seconds) < last[kind]) continue;
    pen.fillStyle = colour(kind === "chord" ? "--faint" : "--ink");
    pen.fillText(text, x(seconds) + 2, kind === "chord" ? height - 5 : kind === "key" ? 27 : 13);
    last[kind] = x(seconds) + pen.measureText(text).width + 8;
  }
}

function draw() {
  const scale = window.devicePixelRatio || 1, width = view.clientWidth;
  const row = Math.max(3, Math.min(12, Math.floor((window.innerHeight - 150) / (score.high - score.low + 1))));
  const height = TOP + BOTTOM + row * (score.high - score.low + 1);
  inside.style.width = Math.max(width, Math.ceil(end * zoom.value) + 20) + "px";
  if (canvas.width !== width * scale || canvas.height !== height * scale) {
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  const left = view.scrollLeft, x = (seconds) => seconds * zoom.value - left;
  const y = (pitch) => TOP + (score.high - pitch) * row;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colour("--paper");
  pen.fillRect(0, 0, width, height);
  drawGrid(x, y, row, width, height);
  const now = position();
  for (const [start, length, pitch, velocity, track] of score.notes) {
    if (x(start) > width || x(start + length) < 0) continue;
    pen.globalAlpha = muted.has(track) ? 0.12 : 0.4 + 0.6 * velocity / 127;
    pen.fillStyle = start <= now && now < start + length && playing ? colour("--ink") : score.tracks[track].colour;
    pen.fillRect(x(start), y(pitch), Math.max(2, length * zoom.value - 1), row - 1);
  }
  pen.globalAlpha = 1;
  drawLabels(x, height);
  pen.fillStyle = "#d62728";
  pen.fillRect(x(now), TOP - 4, 2, height - TOP - BOTTOM + 4);
  clock.textContent = written(now) + " / " + written(end);
}

score.tracks.forEach(({ name, colour: paint }, track) => {
  const [label, box, patch] = ["label", "input", "span"].map((tag) => document.createElement(tag));
  box.type = "checkbox";
  box.checked = true;
  box.onchange = () => { box.checked ? muted.delete(track) : muted.add(track); draw(); };
  patch.style.background = paint;
  label.append(box, patch, name);
  document.getElementById("tracks").append(label);
});
button.onclick = () => playing ? pause() : play();
canvas.onclick = (event) => seek((event.offsetX + view.scrollLeft) / zoom.value);
zoom.oninput = () => {
  draw();
  view.scrollLeft = position() * zoom.value - view.clientWidth / 3;
  draw();
};
view.onscroll = window.onresize = () => draw();
document.onkeydown = (event) => {
  if (event.target === zoom || event.target.type === "checkbox") return;
  const keys = {
    " ": () => playing ? pause() : play(), Home: () => seek(0), End: () => seek(end),
    ArrowLeft: () => seek(position() - 2), ArrowRight: () => seek(position() + 2),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
};
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();

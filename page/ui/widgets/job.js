// How the visitor's job goes, with Stop. Props: value {run: id, line, working: what to show until the server has answered}.
// The widget asks by itself, server.job_state({run}) -> {known, line: {kind, text, detail, share}, working, again, made, news},
// for gradio's timer re-draws all that an answer may change, 60 times a second as long as one is awaited, on the cores that
// the job needs. Fires "news" {before: the end that was there when the tab was opened} when `news` changed, "stop", and
// "see" to go to the finished video.

/** @typedef {{kind: string, text: string, detail: string, share: number | null}} Line */

const PAUSE = 1000; // milliseconds between two questions
const IDLE_PAUSE = 30000; // while there is nothing to hear: so the server knows that the run is on a screen
const LONGEST_PAUSE = 16000; // while the server does not answer
const LOOKS = 30; // after a click, whether the video is on the screen
const LOOK_PAUSE = 300; // milliseconds
const LOST = { kind: "stopped", text: texts.lost, detail: "", share: null };
/** @type {(selector: string) => HTMLElement} of the template */
const find = (selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
const bar = /** @type {HTMLProgressElement} */ (find("progress"));
const stopButton = /** @type {HTMLButtonElement} */ (find(".job-stop"));
const seeButton = find(".job-see");
let begun = false; // whether the value was that of a job that this tab began, which may end before the first answer
let turn = 0; // of the newest value; answers to older ones are dropped
let lost = 0; // questions in a row without an answer
let made = 0; // finished videos
let timer = 0;
let looking = 0;
let known = ""; // news that was signalled last
/** @type {string | null} */
let before = null; // the end of a job that had ended before this tab was opened

/**
 * @param {Line | null} line
 * @param {boolean} working
 */
function draw(line, working) {
  const job = find(".job");
  job.hidden = !line;
  stopButton.hidden = !working;
  if (!working) stopButton.disabled = false;
  if (!line) return;
  job.className = `job ${line.kind}`;
  for (const [name, text] of [
    ["strong", line.text],
    [".job-detail", line.detail],
  ]) {
    if (find(name).textContent !== text) find(name).textContent = text; // screen readers read what is set
  }
  bar.hidden = line.share === null;
  if (line.share !== null) bar.value = line.share;
}

function offerVideo() {
  const player = /** @type {HTMLElement | null} */ (document.querySelector(".stit-player"));
  seeButton.hidden = !made || Boolean(player?.offsetParent) || !stopButton.hidden;
}

/** Another step may be on the screen after a click, but a busy server takes its time. @param {number} left looks */
function look(left) {
  offerVideo();
  if (left) looking = setTimeout(() => look(left - 1), LOOK_PAUSE);
}

/** @param {number} mine the turn that the question belongs to */
async function ask(mine) {
  const { run } = props.value || {};
  const reply = await server.job_state({ run });
  if (mine !== turn) return;
  if (reply === undefined) {
    lost += 1;
    if (lost > 2) draw(LOST, !stopButton.hidden);
    timer = setTimeout(() => ask(mine), Math.min(LONGEST_PAUSE, PAUSE * 2 ** lost));
    return;
  }
  lost = 0;
  if (!reply.known) return draw(reply.line, false);
  made = reply.made;
  draw(reply.line, reply.working);
  offerVideo();
  const news = JSON.stringify(reply.news);
  if (news !== known) {
    if (!known && !begun) before = reply.news.ended;
    known = news;
    trigger("news", { before });
  }
  timer = setTimeout(() => ask(mine), reply.again ? PAUSE : IDLE_PAUSE);
}

function receive() {
  const { run = "", line = null, working = false } = props.value || {};
  clearTimeout(timer);
  turn += 1;
  known = "";
  begun = working;
  before = null;
  draw(line, working);
  if (run) ask(turn);
}

stopButton.addEventListener("click", () => {
  stopButton.disabled = true;
  trigger("stop");
});
seeButton.addEventListener("click", () => {
  seeButton.hidden = true;
  trigger("see");
});
document.addEventListener("click", () => {
  clearTimeout(looking);
  looking = setTimeout(() => look(LOOKS), LOOK_PAUSE);
});
watch("value", receive);
receive();

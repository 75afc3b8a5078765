// The report of a review, in a frame that can neither touch the page nor reach the network: labels in it come from anybody.
// Props: value {run: id, report: id, "" for none}. It is asked for when it comes onto the screen, server.report_page({run})
// -> {known: whether there is one, text: HTML}.
const frame = /** @type {HTMLIFrameElement} */ (element.querySelector("iframe"));
let shown = ""; // the report that is in the frame

async function load() {
  const { run = "", report = "" } = props.value || {};
  if (!report || report === shown) return;
  const reply = await server.report_page({ run });
  if (report !== props.value?.report) return;
  frame.srcdoc = reply?.text || "";
  frame.hidden = !reply?.text;
  shown = reply?.text ? report : "";
}

const screen = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) load();
});

function receive() {
  const { report = "" } = props.value || {};
  if (report !== shown) {
    shown = "";
    frame.removeAttribute("srcdoc");
  }
  frame.hidden = !report;
  screen.unobserve(frame);
  if (report) screen.observe(frame); // which looks anew
}

watch("value", receive);
receive();

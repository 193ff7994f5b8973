// The echo panel: one remote call, with its answer and the time that took.

import { client } from "./connection.js";
import { byId } from "./dom.js";

async function call(question) {
  await drawn();
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  byId("echo-result").dataset.state = "waiting";
  byId("echo-time").textContent = "";
  try {
    const answer = await client.remoteCall("rpc/echo", question);
    showEcho("done", asText(answer), elapsed());
  } catch (error) {
    // What was not answered has taken no time that says anything.
    const isAnswered = error.reply !== undefined;
    const text = asText(error.reply?.data ?? error.message);
    showEcho("failed", `Failed: ${text}`, isAnswered ? elapsed() : undefined);
  }
}

/** Waits until the page has drawn the click, so that drawing is not part of the round trip. */
function drawn() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

function showEcho(state, text, elapsed) {
  const result = byId("echo-result");
  result.dataset.state = state;
  result.querySelector(".text").textContent = text;
  byId("echo-time").textContent = elapsed === undefined ? "" : `${elapsed.toFixed(1)} ms`;
}

function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

byId("echo-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("echo-input").value;
  call(byId("echo-fail").checked ? { fail: text } : text);
});

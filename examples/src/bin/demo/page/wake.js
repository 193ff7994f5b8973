// Tells when the world may have changed unnoticed: the page is looked at again, the network is back, or the
// machine has slept.

const BEAT = 5_000; // ms
const GAP = 15_000; // ms without a beat: timers do not run while a machine sleeps

export function onWake(listener) {
  addEventListener("online", listener);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && listener());
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    const hasSlept = now - last > GAP;
    last = now;
    // Those of a page that nobody looks at run seldom anyway.
    if (hasSlept && document.visibilityState === "visible") listener();
  }, BEAT);
}

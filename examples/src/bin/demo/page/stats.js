// The stats panel: the server's counters, once a second, and the last minute as a chart.

import { client } from "./connection.js";
import { byId } from "./dom.js";

const CHART_SECONDS = 60;
const chart = byId("stat-chart");
const rates = [];

function onStats({ data }) {
  rates.push(data.messagesPerSecond);
  if (rates.length > CHART_SECONDS) rates.shift();
  byId("stat-sessions").textContent = compact(data.sessions);
  byId("stat-channels").textContent = compact(data.channels);
  byId("stat-rate").textContent = compact(data.messagesPerSecond);
  byId("stat-peak").textContent = `${compact(Math.max(...rates))}/s`;
  byId("stat-uptime").textContent = duration(data.uptime);
  drawChart();
}

/** Draws the rates from the right edge, newest last, the peak at full height. */
function drawChart() {
  const { width, height } = chart.viewBox.baseVal;
  const peak = Math.max(1, ...rates);
  const points = rates.map((rate, index) => {
    const x = width - ((rates.length - 1 - index) * width) / (CHART_SECONDS - 1);
    return `${x.toFixed(1)} ${(height - (rate / peak) * (height - 4)).toFixed(1)}`;
  });
  const trace = `M${points.join("L")}`;
  const left = points[0].split(" ")[0];
  chart.querySelector(".trace").setAttribute("d", trace);
  chart.querySelector(".area").setAttribute("d", `${trace}V${height}H${left}Z`);
}

function showStaleness() {
  chart.closest(".stats").classList.toggle("is-stale", client.status.state !== "connected");
}

function compact(number) {
  if (number < 10_000) return String(Math.round(number));
  return `${(number / 1000).toFixed(number < 100_000 ? 1 : 0)}k`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3_600) % 24;
  const days = Math.floor(seconds / 86_400);
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

client.addEventListener("status", showStaleness);
client.subscribe("/demo/stats", onStats);
showStaleness();

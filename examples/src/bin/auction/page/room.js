// The room of a node: who you are, how the connection is, and where the news goes.

import { avatar, byId } from "./dom.js";
import { client, enter, onHouse, onLot, onNotice, onWelcome, onWords } from "./house.js";
import { showLots, takeLot, welcome } from "./lots.js";
import { notice, showHouse, showSay, words } from "./people.js";
import { showConnection } from "./status.js";
import { recall, remember } from "./tab.js";

const NAME = "auction.name"; // where the tab keeps it, for when it is loaded again
let nodeName = "";

function showYou(name) {
  if (name) document.body.dataset.you = name;
  else delete document.body.dataset.you;
  byId("enter").hidden = Boolean(name);
  byId("leave").hidden = !name;
  byId("name").disabled = Boolean(name);
  if (name) byId("name").value = name;
  showSay();
}

function showNode(name) {
  nodeName = name;
  byId("node").textContent = `the room of node ${name}`;
  byId("node").dataset.node = name;
  document.title = `${name} · Bayeux auction`;
  if (!document.querySelector(".brand .avatar")) byId("node").before(avatar(name));
}

function showStatus() {
  const { status } = client;
  const lost = `Node ${nodeName} does not answer. What it has confirmed the others have, too.`;
  showConnection(status.state === "reconnecting" ? { ...status, reason: lost } : status, "the node");
  showLots();
  showSay();
}

async function enterAs(name) {
  remember(NAME, name);
  byId("notices").replaceChildren();
  await enter(name);
}

byId("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = byId("name").value.trim();
  if (name) enterAs(name);
  else byId("name").focus();
});
byId("leave").addEventListener("click", () => enterAs(null));

onLot(takeLot);
onHouse(showHouse);
onWords(words);
onNotice(notice);
onWelcome((all) => {
  showNode(all.node);
  showYou(all.you);
  showHouse(all.house);
  welcome(all);
});
client.addEventListener("status", showStatus);
addEventListener("pagehide", () => client.abandon());
addEventListener("pageshow", (event) => event.persisted && enter(recall(NAME)));
showYou(null);
showStatus();
enter(recall(NAME));

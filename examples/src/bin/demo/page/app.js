// The demo page: brings its parts together; connects at once, and says goodbye when it is left.

import { suspend } from "./chat.js";
import { client, connect } from "./connection.js";
import "./echo.js";
import "./lazy.js";
import "./stats.js";

addEventListener("pagehide", () => {
  client.batch(() => {
    suspend();
    client.abandon();
  });
});
addEventListener("pageshow", (event) => event.persisted && connect());
connect();

// nginx or HAProxy between clients and the demo, each as its manual configures it for WebSockets.

import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import net from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';

import {overEveryTransport} from './cometd.js';
import {openLink} from './link.js';
import {Inbox, PATIENCE, within} from './wait.js';

const ROOT = fileURLToPath(new URL('../.proxies/', import.meta.url));
const LIBRARIES = join(ROOT, 'lib');

const running = new Set();
// By this signal nginx takes its workers along.
process.on('exit', () => running.forEach((child) => child.kill('SIGTERM')));

/** How each is configured and started, and what it says when it goes on with a new process or a new worker. */
const KINDS = {
  nginx: {
    program: join(ROOT, 'usr/sbin/nginx'),
    arguments: (folder) => ['-p', folder, '-e', 'stderr', '-c', 'config'],
    replaced: /gracefully shutting down/,
    // As root its workers would be another user, who may not look into a temporary folder.
    config: ({ports, idle}) => `
      user root;
      daemon off;
      pid nginx.pid;
      error_log stderr notice;
      events {}
      http {
        access_log off;
        client_body_temp_path body; proxy_temp_path proxy;
        fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
        map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
        upstream demo {
          # A client stays with its server while that is there.
          hash $remote_addr;
          ${ports.map((port) => `server 127.0.0.1:${port};`).join('\n          ')}
          keepalive 16;
        }
        server {
          listen unix:socket;
          listen unix:socket-h2 http2;
          location / {
            proxy_pass http://demo;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout ${idle}ms;
          }
        }
      }`,
  },
  haproxy: {
    program: join(ROOT, 'usr/sbin/haproxy'),
    replaced: /Proxy public stopped/,
    arguments: (folder) => ['-db', '-C', folder, '-f', 'config'],
    config: ({ports, idle, abortonclose}) => `
      defaults
        mode http
        timeout connect 5s
        timeout client 60s
        timeout server ${idle}ms
        timeout tunnel ${idle}ms
        option redispatch
        ${abortonclose ? 'option abortonclose' : ''}
      frontend public
        bind unix@socket
        bind unix@socket-h2 proto h2
        default_backend demo
      backend demo
        cookie SERVER insert indirect nocache
        ${ports.map((port, n) => `server demo${n} 127.0.0.1:${port} cookie ${n}`).join('\n        ')}
      `,
  },
};

export const PROXIES = Object.keys(KINDS);

/**
 * Starts a proxy in front of the servers at `ports`. It gives a connection up that the server is silent on for
 * `idle` milliseconds.
 */
export async function startProxy(kind, ports, {idle = 60_000, abortonclose = true} = {}) {
  const {program, arguments: args, config, replaced} = KINDS[kind];
  const folder = await mkdtemp(join(tmpdir(), 'bayeux-'));
  await writeFile(join(folder, 'config'), config({ports, idle, abortonclose}).trimStart() + '\n');
  const sockets = ['socket', 'socket-h2'].map((name) => join(folder, name));
  const output = new Inbox(`the output of ${kind}`);
  const processes = new Map();

  const start = async (...more) => {
    const child = spawn(program, [...args(folder), ...more], {
      cwd: folder,
      env: {...process.env, LD_LIBRARY_PATH: LIBRARIES},
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    const gone = () => {
      running.delete(child);
      processes.delete(child);
    };
    const exited = once(child, 'exit').then(gone, (error) => {
      output.push(error.message);
      gone();
    });
    processes.set(child, exited);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({input: stream}).on('line', (line) => output.push(line));
    }
    for (const socket of sockets) {
      const open = await accepts(socket, () => running.has(child));
      if (!open) throw new Error(`${kind} did not start:\n${output.all.join('\n')}`);
    }
  };
  const stop = async () => {
    const exits = [...processes.values()];
    for (const child of processes.keys()) child.kill('SIGTERM');
    await within(Promise.all(exits), `the exit of ${kind}`);
    for (const socket of sockets) await rm(socket, {force: true});
  };
  await start();
  const link = await openLink({path: sockets[0]});

  return {
    origin: link.origin,
    /** Where it speaks HTTP/2 without TLS. */
    http2: sockets[1],
    start,
    /** Ends it together with its connections. */
    stop,
    /** Has a new process or worker take its place; the old one goes when its connections have gone. */
    async reload() {
      const before = output.all.length;
      const old = [...processes.keys()].at(-1);
      if (kind === 'nginx') old.kill('SIGHUP');
      else await start('-sf', `${old.pid}`);
      await output.until(() => output.all.slice(before).some((line) => replaced.test(line)), replaced);
    },
    async close() {
      await link.close();
      await stop();
      await rm(folder, {recursive: true});
    },
  };
}

/** Waits until a program listens at `socket`, and tells whether it does. */
async function accepts(socket, lives) {
  const late = performance.now() + PATIENCE;
  while (lives() && performance.now() < late) {
    const probe = net.connect(socket);
    const open = await once(probe, 'connect').then(
      () => true,
      () => false,
    );
    probe.destroy();
    if (open) return true;
    await delay(20);
  }
  return false;
}

/** Declares one scenario per proxy and transport; its clients go by the proxy unless they are told where to go. */
export function behindEveryProxy(name, body, {proxy: settings, ...rest} = {}) {
  for (const kind of PROXIES) {
    const run = async (scene) => {
      const proxy = await startProxy(kind, [scene.demo.port], settings);
      scene.atEnd(() => proxy.close());
      const newClient = (config) => scene.newClient({origin: proxy.origin, ...config});
      await body({...scene, proxy, newClient, connect: (config) => newClient(config).connect()});
    };
    overEveryTransport(`${name}, behind ${kind}`, run, rest);
  }
}

// Debian's nginx and HAProxy as neighbours of Weir, in front of it or behind it, on free loopback ports.
//
//   const front = await startNginx({ to: weir.port });      // {port, requests(), stop()}
//   const back = await startHaproxy({ to: backend.port });
//   await front.stop();                                      // ends the process that was started, and removes its folder
//
// Both keep one connection to what is behind them and send everybody's requests over it: what a desync attack needs.
// requests(): how many requests the proxy has logged, those that it refused itself included.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { eventually, kDeadlineMs } from '../support/weir.mjs';

// How long the proxies wait for the rest of a request; longer where everything is slower.
export const kPatienceMs = kDeadlineMs * 0.015;

function find(program) {
  for (const folder of ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin']) {
    if (existsSync(`${folder}/${program}`)) return `${folder}/${program}`;
  }
  throw new Error(`${program} is not installed: apt-get install nginx-light haproxy`);
}

const freePort = () => new Promise((resolve, reject) => {
  const server = net.createServer().once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const accepts = (port) => new Promise((resolve) => {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.once('connect', () => { socket.destroy(); resolve(true); });
  socket.once('error', () => resolve(false));
});

async function run(program, args, folder, port) {
  const child = spawn(find(program), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const state = { output: '', exit: undefined };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { state.output += text; });
  const exited = new Promise((resolve) => { child.on('close', (code) => { state.exit = code; resolve(); }); });
  await eventually(() => {
    if (state.exit !== undefined) throw new Error(`${program} ended with ${state.exit}: ${state.output}`);
    return accepts(port);
  }, `${program} listens`);
  return { port, state, stop: async () => {
    if (state.exit === undefined) child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  } };
}

export async function startNginx({ to }) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-nginx-'));
  const port = await freePort();
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  await writeFile(`${folder}/nginx.conf`, `
daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  ${temp}
  access_log ${folder}/access.log;
  client_header_timeout ${kPatienceMs}ms; client_body_timeout ${kPatienceMs}ms; keepalive_requests 100000;
  upstream next { server 127.0.0.1:${to}; keepalive 1; keepalive_requests 100000; }
  server {
    listen 127.0.0.1:${port};
    merge_slashes off; underscores_in_headers on; ignore_invalid_headers off;
    location / {
      proxy_pass http://next; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;
      proxy_set_header Connection ""; proxy_set_header Host $host; proxy_next_upstream off;
      proxy_ignore_client_abort on;
    }
  }
}
`);
  const running = await run('nginx', ['-e', `${folder}/error.log`, '-p', folder, '-c', `${folder}/nginx.conf`], folder, port);
  return { ...running, requests: () => readFileSync(`${folder}/access.log`, 'latin1').split('\n').filter((line) => / HTTP\/| "/.test(line)).length };
}

export async function startHaproxy({ to }) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'weir-haproxy-'));
  const port = await freePort();
  await writeFile(`${folder}/haproxy.cfg`, `
global
  maxconn 256
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option dontlognull
  timeout connect 2s
  timeout client 2s
  timeout server 5s
  timeout http-request ${kPatienceMs}ms
  timeout http-keep-alive 5s
  http-reuse always
  retries 0
frontend front
  bind 127.0.0.1:${port}
  default_backend next
backend next
  server next 127.0.0.1:${to}
`);
  const running = await run('haproxy', ['-db', '-f', `${folder}/haproxy.cfg`], folder, port);
  return { ...running, requests: () => running.state.output.split('\n').filter((line) => / front /.test(line)).length };
}

// SPDX-License-Identifier: MIT
// What the tests share: scratch directories, throw-away programs, and schedcp-mcp by hand.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

export const build = process.env.SCHEDCP_BUILD_DIR;
export const source = process.env.SCHEDCP_SOURCE_DIR;
export const bin = (name) => path.join(build, 'bin', name);

/** A directory that is removed when the test `t` is over. */
export function scratch(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'schedcp-mcp-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Put a program that answers --describe into `dir`; `script` is what it does otherwise, in sh. */
export function program(dir, name, about, script) {
  const describe = JSON.stringify({ name, ...about });
  const file = path.join(dir, name);
  fs.writeFileSync(file, `#!/bin/sh
if [ "$1" = --describe ]; then
cat <<'ABOUT'
${describe}
ABOUT
exit
fi
${script}
`, { mode: 0o755 });
  return file;
}

export function environment(state) {
  return { ...process.env, SCHEDCP_STATE_DIR: state, PATH: `${build}/bin:${process.env.PATH}` };
}

export const modern = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** schedcp-mcp spoken to line by line, for what no proper client would send. */
export class Raw {
  constructor(t, args, state) {
    this.process = spawn(bin('schedcp-mcp'), args, {
      env: environment(state), stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.messages = [];
    this.waiting = [];
    this.ended = new Promise((done) => this.process.on('exit', (code) => done(code)));
    readline.createInterface({ input: this.process.stdout }).on('line', (line) => {
      this.messages.push(JSON.parse(line));
      this.waiting = this.waiting.filter((look) => !look());
    });
    t.after(() => this.process.kill('SIGKILL'));
  }
  write(text) { this.process.stdin.write(text); }
  send(message) { this.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n'); }
  /** The first message, past or to come, for which `is` holds. */
  message(is) {
    return new Promise((found) => {
      const look = () => {
        const one = this.messages.find(is);
        if (one) found(one);
        return Boolean(one);
      };
      if (!look()) this.waiting.push(look);
    });
  }
  answer(id) { return this.message((one) => one.id === id); }
  request(id, method, params = {}) {
    this.send({ id, method, params: { ...params, _meta: { ...modern, ...params._meta } } });
    return this.answer(id);
  }
}

/** Wait until `is()` holds; fails after 20 s. */
export async function until(is, what) {
  for (let i = 0; i < 400; ++i) {
    if (is()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`still not so after 20 s: ${what}`);
}

export function alive(pid) {
  try {
    // A zombie is no longer alive.
    return !/^\d+ \(.*\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

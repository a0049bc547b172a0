// SPDX-License-Identifier: MIT
// What schedcp-mcp makes of messages that no proper client sends, and of clients that go away.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { alive, modern, program, Raw, scratch, until } from './lib.mjs';

const about = {
  summary: 'Wait.',
  input_schema: { type: 'object', properties: { file: { type: 'string' } } },
  timeout_s: 60,
};
// Its child must go as well.
const wait = 'for a; do f=${a#--file=}; done; sleep 1000 & echo $$ $! > "$f.new"; mv "$f.new" "$f"; wait';

function setup(t, script = wait, extra = []) {
  const dir = scratch(t);
  program(dir, 'schedcp-wait', about, script);
  return { dir, pids: path.join(dir, 'pids'), server: new Raw(t, ['--tools', dir, ...extra], dir) };
}

test('junk is answered by -32700, and the next message as if nothing had been', async (t) => {
  const { server } = setup(t);
  server.write('junk\n\n{"jsonrpc":\n');
  server.write('[]\n"x"\n{"jsonrpc":"1.0","id":7,"method":"ping"}\n{"jsonrpc":"2.0","id":{},"method":"ping"}\n');
  server.write('[[[['.repeat(1000) + '\n');
  server.write(Buffer.from([0xff, 0xfe, 0x00, 0x0a]));
  const answer = await server.request(1, 'tools/list');
  assert.equal(answer.result.resultType, 'complete');
  const codes = server.messages.filter((one) => one.error).map((one) => one.error.code);
  assert.deepEqual(codes, [-32700, -32700, -32600, -32600, -32600, -32600, -32700, -32700]);
  assert.equal(server.messages.find((one) => one.id === 7).error.code, -32600);
});

test('a line of more than 10 MB is refused, and not kept', async (t) => {
  const { server } = setup(t);
  server.write('{"jsonrpc":"2.0","id":1,"method":"' + 'x'.repeat(11 << 20) + '"}\n');
  const refused = await server.message((one) => one.error);
  assert.equal(refused.error.code, -32700);
  assert.ok((await server.request(2, 'tools/list')).result);
});

test('requests that say no version, an unknown one or no capabilities are refused', async (t) => {
  const { server } = setup(t);
  server.send({ id: 1, method: 'tools/list' });
  assert.equal((await server.answer(1)).error.code, -32602);
  const version = 'io.modelcontextprotocol/protocolVersion';
  const unknown = await server.request(2, 'tools/list', { _meta: { [version]: '2030-01-01' } });
  assert.equal(unknown.error.code, -32022);
  assert.deepEqual(unknown.error.data, { supported: ['2026-07-28'], requested: '2030-01-01' });
  server.send({ id: 3, method: 'tools/list', params: { _meta: { [version]: '2026-07-28' } } });
  assert.equal((await server.answer(3)).error.code, -32602);
  assert.equal((await server.request(4, 'initialize')).error.code, -32601);
  assert.equal((await server.request(5, 'tools/call', { name: 'schedcp_wiat' })).error.code, -32602);
});

test('an id that is in use is refused, and the call it belongs to goes on', async (t) => {
  const { server, pids } = setup(t);
  const call = { name: 'schedcp_wait', arguments: { file: pids } };
  server.send({ id: 1, method: 'tools/call', params: { ...call, _meta: modern } });
  await until(() => fs.existsSync(pids), 'the program runs');
  assert.equal((await server.request(1, 'tools/call', call)).error.code, -32600);
  assert.ok(alive(fs.readFileSync(pids, 'utf8').split(/\s+/)[0]));
});

test('a cancelled call ends with all its processes, and gets no answer', async (t) => {
  const { server, pids } = setup(t);
  server.send({
    id: 'x', method: 'tools/call',
    params: { name: 'schedcp_wait', arguments: { file: pids }, _meta: modern },
  });
  await until(() => fs.existsSync(pids), 'the program runs');
  const children = fs.readFileSync(pids, 'utf8').trim().split(/\s+/);
  assert.ok(children.every(alive));
  server.send({ method: 'notifications/cancelled', params: { requestId: 'x' } });
  await until(() => !children.some(alive), 'the processes are gone');
  assert.ok((await server.request(2, 'tools/list')).result);
  assert.equal(server.messages.find((one) => one.id === 'x'), undefined);
});

test('a program that ignores SIGTERM is killed', async (t) => {
  const { server, pids } = setup(t, "trap '' TERM; " + wait + '; wait; wait; sleep 1000');
  server.send({
    id: 1, method: 'tools/call',
    params: { name: 'schedcp_wait', arguments: { file: pids }, _meta: modern },
  });
  await until(() => fs.existsSync(pids), 'the program runs');
  const [pid] = fs.readFileSync(pids, 'utf8').trim().split(/\s+/);
  server.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
  await until(() => !alive(pid), 'it is gone');
});

test('end of input in the middle of a call ends the server and what it started', async (t) => {
  const { server, pids } = setup(t);
  server.send({
    id: 1, method: 'tools/call',
    params: { name: 'schedcp_wait', arguments: { file: pids }, _meta: modern },
  });
  await until(() => fs.existsSync(pids), 'the program runs');
  const children = fs.readFileSync(pids, 'utf8').trim().split(/\s+/);
  server.process.stdin.end();
  assert.equal(await server.ended, 0);
  await until(() => !children.some(alive), 'the processes are gone');
});

test('a server that is killed leaves no process behind', async (t) => {
  const { server, pids } = setup(t, wait.replace('sleep 1000 &', 'true &').replace('; wait', '; exec sleep 1000'));
  server.send({
    id: 1, method: 'tools/call',
    params: { name: 'schedcp_wait', arguments: { file: pids }, _meta: modern },
  });
  await until(() => fs.existsSync(pids), 'the program runs');
  const [pid] = fs.readFileSync(pids, 'utf8').trim().split(/\s+/);
  server.process.kill('SIGKILL');
  await until(() => !alive(pid), 'it is gone');
});

test('a call is ended by the time limit, as an error that says so', async (t) => {
  const { server, pids } = setup(t, wait, ['--timeout', '1s']);
  const answer = await server.request(1, 'tools/call', { name: 'schedcp_wait', arguments: { file: pids } });
  assert.equal(answer.result.isError, true);
  assert.equal(answer.result.structuredContent.error.code, 124);
});

test('many calls at once are all answered, two servers side by side', async (t) => {
  const one = setup(t, 'sleep 0.$(($$ % 5)); echo done');
  const two = setup(t, 'echo done');
  const calls = [];
  for (let id = 0; id < 12; ++id)
    for (const { server } of [one, two])
      calls.push(server.request(id, 'tools/call', { name: 'schedcp_wait', arguments: { file: 'x' } }));
  for (const answer of await Promise.all(calls))
    assert.equal(answer.result.structuredContent.output, 'done\n');
});

test('output beyond 8 MiB is cut, and control characters never get through', async (t) => {
  const { server } = setup(t, String.raw`printf 'a\033[31mred\342\200\256b\n'; head -c 9000000 /dev/zero | tr '\0' x`);
  const { result } = await server.request(1, 'tools/call', { name: 'schedcp_wait', arguments: { file: 'x' } });
  assert.equal(result.structuredContent.truncated, true);
  assert.equal(result.structuredContent.output.length, (8 << 20) - 2);
  assert.match(result.structuredContent.output, /^a\?\[31mred\?b\n/);
});

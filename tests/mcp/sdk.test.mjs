// SPDX-License-Identifier: MIT
// schedcp-mcp as the official clients see it: @modelcontextprotocol/sdk with the handshake of old,
// @modelcontextprotocol/client with the stateless protocol of 2026-07-28.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { alive, bin, build, environment, program, scratch, source, until } from './lib.mjs';

const state = fs.mkdtempSync(path.join(process.env.TMPDIR ?? '/tmp', 'schedcp-mcp-state-'));
process.on('exit', () => fs.rmSync(state, { recursive: true, force: true }));

async function connect(t, args = []) {
  const client = new Client({ name: 'schedcp-tests', version: '1' });
  await client.connect(new StdioClientTransport({
    command: bin('schedcp-mcp'), args, env: environment(state), stderr: 'inherit',
  }));
  t.after(() => client.close());
  return client;
}

/** Call a tool; what the result holds besides must always hold. */
async function call(client, name, args = {}, options = {}) {
  const result = await client.callTool({ name, arguments: args }, undefined,
    { timeout: 300_000, ...options });
  const { exit_code: code, error } = result.structuredContent;
  assert.equal(typeof code, 'number');
  assert.equal(Boolean(result.isError), Boolean(error), result.content[0].text);
  return { ...result.structuredContent, text: result.content[0].text, isError: result.isError };
}

const programs = () => fs.readdirSync(path.join(build, 'bin'))
  .filter((name) => name.startsWith('schedcp-') && name !== 'schedcp-mcp' && !name.endsWith('-tests'));

test('every program is a tool, with hints and a closed schema', async (t) => {
  const client = await connect(t);
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((one) => one.name),
    programs().map((name) => name.replaceAll('-', '_')).sort());
  for (const tool of tools) {
    assert.match(tool.name, /^[a-zA-Z0-9_]{1,40}$/);
    assert.equal(Object.values(tool.annotations).filter((one) => typeof one === 'boolean').length, 4);
    assert.equal(tool.inputSchema.additionalProperties, false, tool.name);
  }
  assert.match(client.getInstructions(), /schedcp_search: reads schedcp\.profile\/1; writes schedcp\.candidate\/1/);
  // A model has to read it all: keep it at about 5000 tokens.
  const size = JSON.stringify(tools).length;
  assert.ok(size < 20_000, `${size} characters`);
});

test('a workload is profiled, policies are found and verified, and a bad one is rejected', async (t) => {
  const client = await connect(t);
  const profile = await call(client, 'schedcp_profile', {
    command: ['sh', '-c', 'for i in 1 2 3 4; do seq 100000 | sha256sum & done; wait'],
    level: 'summary',
  });
  assert.equal(profile.exit_code, 0, profile.text);
  assert.equal(profile.documents[0].schema, 'schedcp.profile/1');
  assert.match(profile.text, /^profile: level summary; target command/);

  const found = await call(client, 'schedcp_search', { input: profile.documents, top: 1 });
  assert.equal(found.exit_code, 0, found.text);
  assert.equal(found.documents[0].schema, 'schedcp.candidate/1');
  assert.deepEqual(found.documents[0].from, [profile.documents[0].id]);

  const good = await call(client, 'schedcp_verify', { input: found.documents, until: 'static' });
  assert.equal(good.exit_code, 0, good.text);
  assert.equal(good.documents[0].schema, 'schedcp.verdict/1');

  const bad = path.join(source, 'tests/corpus/bad/loses_task.bpf.c');
  const rejected = await call(client, 'schedcp_verify', { file: [bad], until: 'static' });
  assert.equal(rejected.exit_code, 1, rejected.text);
  assert.ok(!rejected.isError);
  assert.equal(rejected.documents[0].accepted, false);
  assert.ok(rejected.documents[0].reason.length > 10);
  assert.ok(rejected.text.split('\n')[0].includes(rejected.documents[0].reason.slice(0, 60)));
});

test('a good policy is verified to the end, and progress is told meanwhile', async (t) => {
  const client = await connect(t);
  const heard = [];
  const verdict = await call(client, 'schedcp_verify',
    { file: [path.join(source, 'policies/fifo/fifo.bpf.c')] },
    { onprogress: (one) => heard.push(one), resetTimeoutOnProgress: true });
  assert.equal(verdict.exit_code, 0, verdict.text);
  assert.equal(verdict.documents[0].accepted, true);
  assert.match(verdict.documents[0].token, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.ok(heard.length > 0);
  for (let i = 1; i < heard.length; ++i) assert.ok(heard[i].progress > heard[i - 1].progress);
});

test('a program that is put into a directory becomes a tool', async (t) => {
  const dir = scratch(t);
  program(dir, 'schedcp-hello', {
    summary: 'Say hello.',
    input_schema: {
      type: 'object',
      properties: { who: { type: 'string' }, times: { type: 'integer' }, loud: { type: 'boolean' } },
      required: ['who'],
    },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    examples: [{ line: 'schedcp-hello --who you' }],
    timeout_s: 5,
  }, 'for a; do echo "$a"; done');
  fs.writeFileSync(path.join(dir, 'schedcp-mute'), '#!/bin/sh\nexit 3\n', { mode: 0o755 });
  const client = await connect(t, ['--tools', dir]);
  const { tools } = await client.listTools();
  const hello = tools.find((one) => one.name === 'schedcp_hello');
  assert.equal(hello.description,
    'Say hello. Takes at most 5 s. On a command line: schedcp-hello --who you');
  assert.equal(hello.annotations.readOnlyHint, true);
  assert.equal(tools.find((one) => one.name === 'schedcp_mute'), undefined);
  const said = await call(client, 'schedcp_hello', { who: '--loud; $(id) \' "', times: 2, loud: false });
  assert.equal(said.output, '--who=--loud; $(id) \' "\n--times=2\n');
  const wrong = await call(client, 'schedcp_hello', { woh: 'x' });
  assert.match(wrong.text, /^'woh' is not known to schedcp_hello; did you mean 'who'\?\nHint: it takes: who, times, loud/);
  assert.match((await call(client, 'schedcp_hello', { who: 1 })).text, /^who: expected string, got 1/);
  assert.match((await call(client, 'schedcp_hello', {})).text, /^who: missing/);
});

test('errors say what they mean, what to do, and whether to try again', async (t) => {
  const client = await connect(t);
  const wrong = await call(client, 'schedcp_search', { input: [{ schema: 'schedcp.verdict/1' }] });
  assert.equal(wrong.error.code, 2);
  assert.equal(wrong.error.retryable, false);
  assert.match(wrong.error.message, /expected a profile, got a verdict/);
  assert.match(wrong.error.hint, /schedcp-profile/);
  assert.match(wrong.text, /^schedcp_search cannot: expected a profile, got a verdict\nHint: /);
  const dir = scratch(t);
  program(dir, 'schedcp-busy', {
    summary: 'Be busy.', input_schema: { type: 'object', properties: {} },
    exit_codes: [{ code: 5, meaning: 'Busy; try again.' }],
  }, `echo 'schedcp-busy: another one measures' >&2
echo '{"schema":"schedcp.error/1","program":"schedcp-busy","code":5,"message":"another one measures"}' >&2
exit 5`);
  const other = await connect(t, ['--tools', dir]);
  const busy = await call(other, 'schedcp_busy');
  assert.deepEqual(busy.error,
    { code: 5, message: 'another one measures', meaning: 'Busy; try again.', retryable: true });
});

test('no argument can become an option or a subcommand', async (t) => {
  const client = await connect(t);
  for (const words of [['--state-dir=/'], ['list'], ['--', 'x'], ['-h']]) {
    const refused = await call(client, 'schedcp_search', { words });
    assert.equal(refused.error?.code, 2, refused.text);
  }
  const listed = await call(client, 'schedcp_search', { subcommand: 'list' });
  assert.equal(listed.exit_code, 0, listed.text);
  assert.ok(listed.documents.length >= 4);
});

test('with --read-only nothing is offered that changes anything', async (t) => {
  const client = await connect(t, ['--read-only']);
  const { tools } = await client.listTools();
  assert.ok(tools.every((one) => one.annotations.readOnlyHint && !one.annotations.destructiveHint));
  const names = tools.map((one) => one.name);
  assert.ok(!names.includes('schedcp_rollback') && !names.includes('schedcp_profile'));
  assert.ok(tools.every((one) => !one.inputSchema.properties.command), 'nothing runs a command');
  const deploy = tools.find((one) => one.name === 'schedcp_deploy');
  assert.deepEqual(deploy.inputSchema.properties.subcommand.enum, ['status']);
  const refused = await call(client, 'schedcp_deploy', { subcommand: 'again' });
  assert.equal(refused.error.code, 2);
});

test('a call that the client gives up is ended', async (t) => {
  const dir = scratch(t);
  const pid = path.join(dir, 'pid');
  program(dir, 'schedcp-wait', { summary: 'Wait.', input_schema: { type: 'object', properties: {} } },
    `echo started >&2; echo $$ > '${pid}.new'; mv '${pid}.new' '${pid}'; exec sleep 1000`);
  const client = await connect(t, ['--tools', dir]);
  const stop = new AbortController();
  const gone = assert.rejects(
    client.callTool({ name: 'schedcp_wait', arguments: {} }, undefined, { signal: stop.signal }));
  await until(() => fs.existsSync(pid), 'the program runs');
  stop.abort();
  await gone;
  await until(() => !alive(fs.readFileSync(pid, 'utf8').trim()), 'it is gone');
});

test('the client of the stateless protocol lists and calls as well', async (t) => {
  const modern = await import('@modelcontextprotocol/client');
  const stdio = await import('@modelcontextprotocol/client/stdio');
  const client = new modern.Client({ name: 'schedcp-tests', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(new stdio.StdioClientTransport({
    command: bin('schedcp-mcp'), args: [], env: environment(state), stderr: 'inherit',
  }));
  t.after(() => client.close());
  const { tools } = await client.listTools();
  assert.equal(tools.length, programs().length);
  const result = await client.callTool({ name: 'schedcp_search', arguments: { words: ['batch'], top: 1 } });
  assert.equal(result.structuredContent.documents[0].schema, 'schedcp.candidate/1', result.content[0].text);
});

// SPDX-License-Identifier: MIT
// Tokens between us and npm's jose: it takes ours, and what it makes (with the right key for other
// things than those at hand, with a wrong key, with none) opens nothing in a real kernel, whichever
// way it is brought.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import * as jose from 'jose';

import { bin, build, environment, source } from './lib.mjs';

// Not in /tmp: a guest has its own.
const room = fs.mkdtempSync(path.join(build, 'tests/mcp/jose-'));
process.on('exit', () => fs.rmSync(room, { recursive: true, force: true }));
const env = environment(path.join(room, 'state'));

const verified = spawnSync(bin('schedcp-verify'),
  ['--format', 'json', path.join(source, 'policies/fifo/fifo.bpf.c')], { env, encoding: 'utf8' });
const verdict = JSON.parse(verified.stdout || 'null');
const pem = (name) => fs.readFileSync(path.join(room, 'state/keys', name), 'utf8');

test('a policy is verified and a token signed', () => {
  assert.equal(verified.status, 0, verified.stderr + verified.stdout);
  assert.equal(fs.statSync(path.join(room, 'state/keys/signing.key')).mode & 0o777, 0o600);
});

test('our token verifies with jose, and says what it is for', async () => {
  const key = await jose.importSPKI(pem('signing.pub'), 'EdDSA');
  const { payload, protectedHeader } = await jose.jwtVerify(verdict.token, key,
    { issuer: 'schedcp-verify', subject: 'fifo', algorithms: ['EdDSA'], requiredClaims: ['exp', 'nbf', 'iat', 'jti'] });
  assert.equal(protectedHeader.alg, 'EdDSA');
  assert.equal(protectedHeader.typ, 'JWT');
  assert.match(protectedHeader.kid, /^[0-9a-f]{16}$/);
  assert.equal(payload.obj, verdict.object.sha256);
  assert.deepEqual(payload.kernels, verdict.kernels);
  assert.deepEqual(Object.keys(payload.stages).sort(), ['build', 'kernel', 'sim', 'static', 'stress']);
  await assert.rejects(jose.jwtVerify(verdict.token, (await jose.generateKeyPair('EdDSA')).publicKey));
});

/** Tokens by jose, each with the reason why it must be refused; null: it must not be. */
async function tokens() {
  const ours = await jose.importPKCS8(pem('signing.key'), 'EdDSA');
  const theirs = await jose.generateKeyPair('EdDSA');
  const claims = jose.decodeJwt(verdict.token);
  const header = jose.decodeProtectedHeader(verdict.token);
  const sign = (changes, key = ours, head = header) =>
    new jose.SignJWT({ ...claims, ...changes }).setProtectedHeader(head).sign(key);
  const now = Math.floor(Date.now() / 1000);
  const [first, middle, last] = verdict.token.split('.');
  const altered = jose.base64url.encode(JSON.stringify({ ...claims, knobs: { slice_us: 777 } }));
  const secret = new TextEncoder().encode(pem('signing.pub'));
  const foreign = { alg: 'EdDSA', typ: 'JWT', kid: '0123456789abcdef' };
  return {
    expired: [await sign({ exp: now - 5 }), /it expired at/],
    'not-yet': [await sign({ nbf: now + 3600 }), /it is not valid before/],
    bytes: [await sign({ obj: '0'.repeat(64) }), /the object's hash is/],
    knobs: [await sign({ knobs: { slice_us: 777 } }), /knob 'slice_us' is \d+, verified with 777/],
    hints: [await sign({ hints: '0'.repeat(64) }), /the hints are not those/],
    flags: [await sign({ flags: claims.flags ^ 2 }), /the ops flags are/],
    kernel: [await sign({ kernels: ['6.12.0-other'] }), /verified on 6\.12\.0-other/],
    issuer: [await sign({ iss: 'somebody' }), /its issuer is 'somebody'/],
    policy: [await sign({ sub: 'vtime' }), /it is for policy 'vtime'/],
    key: [await sign({}, theirs.privateKey), /its signature does not match/],
    unknown: [await sign({}, theirs.privateKey, foreign), /signed by a key that is not trusted/],
    none: [new jose.UnsecuredJWT(claims).encode(), /its (algorithm is 'none'|header)/],
    hmac: [await sign({}, secret, { ...header, alg: 'HS256' }), /its algorithm is 'HS256'/],
    changed: [[first, altered, last].join('.'), /its signature does not match/],
    unsigned: [[first, middle, ''].join('.'), /its signature/],
    good: [await sign({}), null],
  };
}

// Each token by schedcp-deploy; some also by the guard itself, and by the guard as a user who has
// nothing but the guard's capabilities (tests/vm/deploy_token_test.cpp tries all of its own so).
const script = String.raw`
cd "$1"
guard=$2/libexec/schedcp/schedcp-guard
caps=cap_bpf,cap_perfmon,cap_sys_nice,cap_ipc_lock
PATH=$PATH:/usr/sbin:/sbin
mkdir /tmp/own && cp "$guard" /tmp/own/guard && cp "$3" /tmp/own/policy.bpf.o && chmod -R a+rX /tmp/own
setcap "$caps=ep" /tmp/own/guard
as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
for file in *.verdict; do
  name=$(basename "$file" .verdict)
  [ $name != good ] || continue
  schedcp-deploy --format json < $file > /tmp/out 2> /tmp/err; echo "deploy $name $?"
  echo "why $name $(head -n 1 /tmp/err)"
  grep -q . /tmp/out && echo "spoke $name"
  case $name in expired|knobs|key|none|other) ;; *) continue ;; esac
  "$guard" < $name.request > /tmp/out 2> /tmp/err; echo "guard $name $?"
  as /tmp/own/guard < $name.own > /tmp/out 2> /tmp/err; echo "user $name $?"
done
echo "audit $(grep -c '"outcome":"denied"' /var/lib/schedcp/audit.jsonl)"
echo "enable_seq $(cat /sys/kernel/sched_ext/enable_seq)"
echo "state $(cat /sys/kernel/sched_ext/state)"
schedcp-deploy --format json --no-canary --watch-time 200ms < good.verdict > /tmp/out; echo "deploy good $?"
echo "state $(cat /sys/kernel/sched_ext/state) $(cat /sys/kernel/sched_ext/root/ops)"
schedcp-rollback --format json > /tmp/out; echo "rollback $?"
echo "state $(cat /sys/kernel/sched_ext/state)"
`;

test('what jose makes opens the kernel only when it is the right thing', async () => {
  const all = await tokens();
  const write = (name, token, knobs) => {
    const candidate = { ...verdict.candidate, ...(knobs && { knobs }) };
    fs.writeFileSync(path.join(room, `${name}.verdict`),
      JSON.stringify({ ...verdict, candidate, token }) + '\n');
    for (const [kind, object] of [['request', verdict.object.path], ['own', '/tmp/own/policy.bpf.o']])
      fs.writeFileSync(path.join(room, `${name}.${kind}`), JSON.stringify({
        policy: 'fifo', object, token, knobs: candidate.knobs ?? [], hints: candidate.hints ?? [],
      }) + '\n');
  };
  for (const [name, [token]] of Object.entries(all)) write(name, token);
  // A right token must also fit the knobs that are asked for.
  write('other', all.good[0], [{ name: 'slice_us', value: 777 }]);
  const why = Object.fromEntries(Object.entries(all).filter(([, [, reason]]) => reason)
    .map(([name, [, reason]]) => [name, reason]));
  why.other = /knob 'slice_us' is 777, verified with/;

  const out = execFileSync(bin('schedcp-vm'),
    ['--root', '--', 'sh', '-c', script, 'sh', room, build, verdict.object.path],
    { env, encoding: 'utf8', timeout: 450_000 });
  const lines = out.trim().split('\n');
  const direct = ['expired', 'knobs', 'key', 'none', 'other'];
  const expected = Object.keys(why).flatMap((name) =>
    (direct.includes(name) ? ['deploy', 'guard', 'user'] : ['deploy']).map((way) => `${way} ${name} 4`));
  assert.deepEqual(lines.filter((line) => /^(deploy|guard|user|spoke) (?!good)/.test(line)).sort(),
    expected.sort(), out);
  for (const [name, reason] of Object.entries(why))
    assert.match(lines.find((line) => line.startsWith(`why ${name} `)), reason);
  assert.deepEqual(lines.slice(-7), [
    `audit ${Object.keys(why).length + direct.length}`, 'enable_seq 0', 'state disabled',
    'deploy good 0', 'state enabled fifo', 'rollback 0', 'state disabled'], out);
});

// SPDX-License-Identifier: MIT
// What schedcp-verify --sarif writes, against the published schema and the validator of the format's
// own makers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import addFormats from 'ajv-formats';
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';

import { bin, build, environment, scratch, source } from './lib.mjs';

const makers = path.join(build, 'tests/mcp/node_modules/@microsoft/sarif-multitool-linux');
const validator = path.join(makers, 'Sarif.Multitool');
fs.chmodSync(validator, 0o755); // scripts of packages do not run here, and this is all that its does
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const fits = ajv.compile(JSON.parse(fs.readFileSync(path.join(makers, 'sarif-2.1.0.json'), 'utf8')));

/** What is wrong with the log in `file`: by the schema, and by the rules that it cannot express. */
function complaints(dir, file) {
  fits(JSON.parse(fs.readFileSync(file, 'utf8')));
  const ran = spawnSync(validator, ['validate', file], { encoding: 'utf8', env: {
    ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1',
    DOTNET_BUNDLE_EXTRACT_BASE_DIR: path.join(dir, 'net') } });
  assert.match(ran.stdout, /1 files scanned/, ran.stderr);
  return { schema: (fits.errors ?? []).map((e) => `${e.instancePath} ${e.message}`),
    rules: ran.stdout.split('\n').filter((line) => /: error [A-Z]+\d+/.test(line)) };
}

test('findings of every stage are valid SARIF 2.1.0', (t) => {
  const dir = scratch(t);
  const file = path.join(dir, 'findings.sarif');
  // A directory whose name must be encoded; one that does not compile; rules with and without lines.
  const odd = path.join(dir, 'ä policy #1');
  fs.mkdirSync(odd);
  fs.writeFileSync(path.join(odd, 'no good.bpf.c'), '#include "schedcp.bpf.h"\nint x = y;\n');
  const bad = (name) => path.join(source, 'tests/corpus/bad', name + '.bpf.c');
  const ran = spawnSync(bin('schedcp-verify'), ['--until', 'sim', '--keep-going', '--sarif', file,
    path.join(odd, 'no good.bpf.c'), bad('loses_task'), bad('starves'),
    path.join(source, 'policies/ljf/ljf.bpf.c')],
  { env: environment(path.join(dir, 'state')), encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr); // ljf is accepted
  const log = JSON.parse(fs.readFileSync(file, 'utf8'));
  const { results } = log.runs[0];
  assert.deepEqual([...new Set(results.map((r) => r.properties.stage))].sort(), ['build', 'sim', 'static']);
  assert.ok(results.some((r) => r.ruleId === 'SCX002' && r.locations[0].physicalLocation.region?.startLine > 0));
  assert.deepEqual(complaints(dir, file), { schema: [], rules: [] });

  // Both would have told.
  results[1].ruleIndex = 99;
  fs.writeFileSync(file, JSON.stringify(log));
  const { schema, rules } = complaints(dir, file);
  assert.deepEqual(schema, []);
  assert.match(rules.join('\n'), /SARIF1009/);
  results[0].level = 'dreadful';
  assert.equal(fits(log), false);
});

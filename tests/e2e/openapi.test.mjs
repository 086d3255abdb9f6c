// The OpenAPI document of a running server is valid, and every call that it describes answers as it says: each of its
// examples is sent, statuses and bodies are compared. See src/admin/openapi/README.md.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import http from 'node:http';
import { createRequire } from 'node:module';
import { ask, eventually, kDeadlineMs, kRoot } from '../support/weir.mjs';
import { seed } from './openapi_seed.mjs';

const load = createRequire(`${kRoot}/tests/clients/package.json`);
const Ajv = load('ajv/dist/2020').default;
const addFormats = load('ajv-formats').default ?? load('ajv-formats');
const { Validator } = load('@seriousme/openapi-schema-validator');

const kOrder = { get: 0, post: 10, put: 20, patch: 30, delete: 90 };
const kept = {};
let weir, tokens, traffic, document, ajv;

before(async () => {
  ({ weir, tokens, traffic } = await seed());
  await eventually(async () => (await call('GET', '/whoami', { as: 'viewer' })).status === 200, 'the new token is known');
  document = JSON.parse((await call('GET', '/openapi.json')).text);
  ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema({ $id: 'doc', components: document.components });
});
after(() => weir?.stop());

const tokenOf = (as) => (as === 'nobody' ? undefined : as === 'session' ? kept.session : tokens[as]);

function call(method, path, { as = 'admin', headers = {}, body } = {}) {
  const token = tokenOf(as);
  return ask(`${weir.admin}/admin/v1${path}`, { method, body: body === undefined ? undefined : JSON.stringify(body),
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers } });
}

// "#/components/…" within a schema, as ajv finds it.
const absolute = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"doc#/'));
const resolved = (item) => (item?.$ref ? item.$ref.slice(2).split('/').reduce((at, name) => at[name], document) : item);

function operations() {
  return Object.entries(document.paths).flatMap(([path, item]) => Object.keys(kOrder).filter((method) => item[method])
    .map((method) => ({ path, method, operation: item[method], parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(resolved) })));
}

function pathOf(path, example) {
  const fill = (value) => String(value).replace(/\$\{(\w+)\}/g, (_, name) => kept[name]);
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(fill(example.path?.[name] ?? 'x')));
  const query = new URLSearchParams(Object.entries(example.query ?? {}).map(([name, value]) => [name, fill(value)])).toString();
  return query ? `${filled}?${query}` : filled;
}

function checkBody(answer, operation, where) {
  const described = resolved(operation.responses[answer.status] ?? operation.responses.default);
  if (answer.status >= 400) assert.equal(answer.headers['content-type'], 'application/problem+json', where);
  if (!described.content) return assert.equal(answer.text, '', where);
  const type = answer.headers['content-type'].split(';')[0];
  assert.ok(described.content[type], `${where}: ${type} is not documented`);
  if (!type.endsWith('json')) return undefined;
  const body = JSON.parse(answer.text);
  const validate = ajv.compile(absolute(described.content[type].schema));
  return assert.ok(validate(body), `${where}: ${ajv.errorsText(validate.errors)}\n${answer.text.slice(0, 2000)}`);
}

test('the document is valid OpenAPI 3.1', async () => {
  const result = await new Validator().validate(structuredClone(document));
  assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
  assert.equal(document.openapi, '3.1.0');
});

test('objects of answers say all of their members', () => {
  const open = [];
  const look = (schema, where) => {
    if (schema === null || typeof schema !== 'object') return;
    if (schema.properties && schema.additionalProperties !== false) open.push(where);
    for (const [name, part] of Object.entries(schema)) look(part, `${where}/${name}`);
  };
  look(document.components.schemas, 'schemas');
  look(document.paths, 'paths');
  assert.deepEqual(open, []);
});

test('without a token every call is refused; a viewer changes nothing', async () => {
  for (const { path, method, operation } of operations()) {
    const where = `${method} ${path}`;
    const nobody = await call(method.toUpperCase(), pathOf(path, {}), { as: 'nobody' });
    assert.equal(nobody.status, 401, where);
    checkBody(nobody, operation, where);
    if (operation['x-weir-role'] !== 'admin') continue;
    const viewer = await call(method.toUpperCase(), pathOf(path, {}), { as: 'viewer', body: method === 'get' ? undefined : {} });
    assert.equal(viewer.status, 403, where);
    assert.match(JSON.parse(viewer.text).detail, /needs the role admin; the token `looker` has the role viewer/);
    checkBody(viewer, operation, where);
  }
});

test('every example answers as it says', async () => {
  const calls = operations().flatMap((each) => each.operation['x-weir-examples'].map((example) => ({ ...each, example,
    order: example.order ?? kOrder[each.method] })));
  calls.sort((a, b) => a.order - b.order);
  for (const { path, method, operation, parameters, example } of calls) {
    const where = `${method} ${path} ${JSON.stringify(example)}`;
    const success = Number(Object.keys(operation.responses).find((status) => /^2/.test(status)));
    const expected = example.status ?? success;
    if (expected < 400) {
      const documented = new Set(parameters.map((each) => each.name.toLowerCase()));
      for (const name of Object.keys({ ...example.query, ...example.path, ...example.headers })) {
        assert.ok(documented.has(name.toLowerCase()), `${where}: ${name} is not documented`);
      }
      const schema = operation.requestBody?.content['application/json']?.schema;
      if (example.body) assert.ok(schema && ajv.validate(absolute(schema), example.body), `${where}: ${ajv.errorsText()}`);
    }
    if (operation.responses[expected]?.content?.['text/event-stream']) continue;      // has no end; see the next test
    const answer = await call(method.toUpperCase(), pathOf(path, example), example);
    assert.equal(answer.status, expected, `${where}: ${answer.text.slice(0, 500)}`);
    checkBody(answer, operation, where);
    if (example.finds) assert.ok(JSON.parse(answer.text)[example.finds].length > 0, `${where}: nothing in ${example.finds}`);
    for (const [name, member] of Object.entries(example.keep ?? {})) kept[name] = JSON.parse(answer.text)[member];
  }
});

// Until each of `wanted` was seen.
function watched(path, wanted, act) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const timer = setTimeout(() => reject(new Error(`only ${seen.map(({ event }) => event)} of ${wanted}`)), kDeadlineMs);
    const request = http.get(`${weir.admin}/admin/v1${path}`, { agent: false, headers: { authorization: `Bearer ${tokens.viewer}` } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('error', () => {}).on('data', (part) => {
        const blocks = (text += part).split('\n\n');
        text = blocks.pop();
        for (const block of blocks) {
          const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
          if (event) seen.push({ event, data: JSON.parse(data) });
        }
        if (!wanted.every((name) => seen.some(({ event, data }) => name === event || name === data.what))) return;
        clearTimeout(timer);
        request.destroy();
        resolve(seen);
      });
      act().catch(reject);
    });
    request.on('error', () => {});
  });
}

test('every event of the stream is as the document says', async () => {
  const { '/events': { get: { 'x-weir-events': events } } } = document.paths;
  const change = () => call('PUT', '/breakers/tool/some_tool', { body: { reason: 'test' } });
  const seen = await watched('/events', ['tick', 'admitted', 'settled', 'refused', 'rejected', 'breakers'], async () => {
    await traffic();
    await change();
  });
  for (const { event, data } of seen) {
    assert.ok(events[event], `${event} is not documented`);
    const validate = ajv.compile(absolute(events[event]));
    assert.ok(validate(data), `${event}: ${ajv.errorsText(validate.errors)} ${JSON.stringify(data)}`);
  }
});

test('parameters that are documented are taken, others are refused', async () => {
  for (const { path, method, operation, parameters } of operations().filter((each) => each.method === 'get')) {
    if (operation.responses[200]?.content?.['text/event-stream']) continue;
    const answer = await call('GET', pathOf(path, { query: { 'no-such-parameter': '1' } }));
    assert.equal(answer.status, 400, path);
    const detail = JSON.parse(answer.text).detail;
    for (const { name } of parameters.filter((each) => each.in === 'query')) assert.ok(detail.includes(`\`${name}\``), `${path}: ${name} in ${detail}`);
    assert.equal((detail.match(/`/g).length / 2) - 1, parameters.filter((each) => each.in === 'query').length, `${path}: ${detail}`);
    assert.equal(method, 'get');
  }
});

test('malformed JSON is 400 and says so, whatever the call', async () => {
  for (const { path, method, operation } of operations().filter((each) => each.operation.requestBody)) {
    const example = operation['x-weir-examples'].find((each) => (each.status ?? 200) < 300) ?? {};
    for (const body of ['{', '[]', '"x"', '{"a":1}{']) {
      const answer = await ask(`${weir.admin}/admin/v1${pathOf(path, example)}`, { method: method.toUpperCase(), body,
        headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/json' } });
      assert.equal(answer.status, 400, `${method} ${path} ${body}: ${answer.text}`);
    }
  }
});

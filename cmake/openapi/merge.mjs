// merge.mjs OUT.cc BASE.json PART.json…: one OpenAPI document of the parts, as bytes in C++ (src/admin/openapi/README.md).
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const kMethods = ['get', 'put', 'post', 'patch', 'delete'];
const [out, base, ...parts] = process.argv.slice(2);

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: ${error.message}`);
  }
}

function put(all, name, value, file) {
  if (name in all) throw new Error(`${file}: ${name} is defined in another file too`);
  all[name] = value;
}

function complete(operation, where, tag) {
  for (const name of ['operationId', 'summary', 'x-weir-role', 'responses', 'x-weir-examples']) {
    if (!operation[name]) throw new Error(`${where}: no ${name}`);
  }
  const role = operation['x-weir-role'];
  if (!['none', 'viewer', 'admin'].includes(role)) throw new Error(`${where}: x-weir-role is none, viewer or admin`);
  const refer = (name) => ({ $ref: `#/components/responses/${name}` });
  operation.tags = [tag];
  if (role === 'none') operation.security = [{}, { token: [] }];
  operation.responses = { ...operation.responses, 401: refer('Unauthorized'), 403: refer('Forbidden'), default: refer('Problem') };
}

function merge() {
  const document = read(base);
  Object.assign(document, { tags: [], paths: {} });
  const ids = {};
  for (const file of parts.sort()) {
    const part = read(file);
    if (!part.tag?.name) throw new Error(`${file}: no "tag"`);
    document.tags.push(part.tag);
    for (const [name, schema] of Object.entries(part.schemas ?? {})) put(document.components.schemas, name, schema, file);
    for (const [name, parameter] of Object.entries(part.parameters ?? {})) put(document.components.parameters, name, parameter, file);
    for (const [route, item] of Object.entries(part.paths ?? {})) {
      put(document.paths, route, item, file);
      for (const method of kMethods.filter((name) => item[name])) {
        complete(item[method], `${file}: ${method} ${route}`, part.tag.name);
        put(ids, item[method].operationId, route, file);
      }
    }
  }
  return JSON.stringify(document);
}

try {
  const bytes = Buffer.from(merge());
  const lines = [];
  for (let i = 0; i < bytes.length; i += 40) lines.push(`${bytes.subarray(i, i + 40).join(',')},`);
  writeFileSync(out, `// Generated from src/admin/openapi.\n#include "admin/openapi.h"\n\nnamespace weir {\nnamespace {\n`
    + `const unsigned char kBytes[] = {\n${lines.join('\n')}\n};\n}  // namespace\n\n`
    + 'std::string_view openapi_document() {\n  return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};\n}\n\n}  // namespace weir\n');
} catch (error) {
  console.error(`${path.basename(process.argv[1])}: ${error.message}`);
  process.exit(1);
}
